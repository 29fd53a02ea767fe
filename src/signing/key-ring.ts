import type { JWK } from 'jose'

/** How the broker's own tokens are signed (RFC 7518 §3.4, RFC 8037 §3.1). */
export const SIGNING_ALGORITHMS = ['ES256', 'EdDSA'] as const
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number]

/** A private key the broker signs with, and since when it exists. */
export interface SigningKey {
  /** RFC 7638 thumbprint of its public part. */
  readonly kid: string
  readonly alg: SigningAlgorithm
  readonly createdAt: number
  readonly jwk: JWK
}

const DAY_MS = 86_400_000
/** How long a key signs, but for one whose successor nobody needed. */
export const KEY_LIFE_MS = 30 * DAY_MS
/** A successor is published for this long before it signs: caches of key sets are shorter. */
export const PUBLISHED_AHEAD_MS = DAY_MS
/** And the one before it for this long after: every token it signed died long ago. */
export const PUBLISHED_AFTER_MS = DAY_MS

/** The key to sign with now: the newest that has been published long enough, else the first. */
export function signingKey(
  keys: readonly SigningKey[],
  alg: SigningAlgorithm,
  now: number,
): SigningKey | undefined {
  const own = keys.filter((key) => key.alg === alg).toSorted((a, b) => a.createdAt - b.createdAt)
  return own.findLast(({ createdAt }) => createdAt + PUBLISHED_AHEAD_MS <= now) ?? own[0]
}

/** Whether a successor has to be made now, or a first key. */
export function needsSuccessor(
  keys: readonly SigningKey[],
  alg: SigningAlgorithm,
  now: number,
): boolean {
  const created = keys.filter((key) => key.alg === alg).map(({ createdAt }) => createdAt)
  return Math.max(...created) + KEY_LIFE_MS - PUBLISHED_AHEAD_MS <= now || created.length === 0
}

/** Without the keys whose successor has been signing for so long that nobody can need them. */
export function stillPublished(keys: readonly SigningKey[], now: number): SigningKey[] {
  return keys.filter((key) => {
    const since = signingKey(keys, key.alg, now - PUBLISHED_AFTER_MS)
    return since === undefined || since.createdAt <= key.createdAt
  })
}
