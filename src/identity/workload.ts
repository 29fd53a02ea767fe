import type { KeyName } from '../model/key.ts'
import type { Proof } from '../model/task.ts'

/** A running process whose identity an issuer vouches for, as its verified evidence says. */
export interface Workload {
  /** `<issuer name>/<sub>`; unambiguous, because an issuer's name has no slash. */
  readonly name: string
  /** The issuer's name in the configuration. */
  readonly issuer: string
  readonly issuerUrl: string
  readonly subject: string
  /** Tells running copies of one workload apart (a pod's uid); null where the evidence does not. */
  readonly instance: string | null
  /** SHA-256 of what a first key is pinned to; see `pinName`. */
  readonly pin: string
  /** `bearer` as long as no key was seen. */
  readonly proof: Proof
  /** The key the evidence itself names: without it the evidence is worth nothing. */
  readonly confirmation: KeyName | null
  /**
   * Claims as text for policies; nested ones by path, for example `kubernetes.io/namespace`,
   * and under the short names of the issuer's kind, for example `namespace`.
   */
  readonly claims: Readonly<Record<string, string>>
  /** Claims that are lists, value by value: what a selector matches one of. */
  readonly lists: Readonly<Record<string, readonly string[]>>
  /** SHA-256 of issuer and `jti`; null where the evidence has no id. */
  readonly evidenceId: string | null
  /** When it was made, or the earliest it can have been. Epoch milliseconds. */
  readonly evidenceIssuedAt: number
  /** From then on the evidence is refused anyway, tolerance included. Epoch milliseconds. */
  readonly evidenceExpiresAt: number
  /** The issuer's evidence is good for one use: the caller stores `evidenceId` and refuses it again. */
  readonly oneTime: boolean
}
