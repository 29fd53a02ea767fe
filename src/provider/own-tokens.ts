import type { LeaseId } from '../ids.ts'
import type { IntentItem } from '../model/intent.ts'
import type { Secret } from '../secret.ts'

/** What an OAuth request for tokens of one target means. */
export interface AccessTokens {
  /** Whom the tokens are for (`aud`). */
  readonly audiences: readonly string[]
  /** What a `scope` asks for, as an intent. */
  intentOf(scope: readonly string[]): IntentItem
}

/** The broker itself as an upstream: it signs access tokens and answers for them. */
export interface OwnTokens {
  /** The issuer identifier they bear. */
  readonly issuer: string
  /** Makes sure that a key of this kind is published before it signs anything. */
  prepare(algorithm: 'ES256' | 'EdDSA'): Promise<void>
  /** A signed RFC 9068 token with these claims and its issuer. */
  sign(algorithm: 'ES256' | 'EdDSA', claims: Readonly<Record<string, unknown>>): Promise<Secret>
  /** Whether introspection still answers that tokens of this lease are active. */
  honours(lease: LeaseId): Promise<boolean>
}
