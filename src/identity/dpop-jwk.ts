import type { JWK } from 'jose'

/** Asymmetric signatures, by the kind of key each needs; nothing shorter than 128 bits of strength. */
const KINDS = {
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
  PS256: { kty: 'RSA', crv: undefined },
  RS256: { kty: 'RSA', crv: undefined },
} as const
export type DpopAlgorithm = keyof typeof KINDS

// Object.keys forgets the names of the keys.
export const DPOP_ALGORITHMS = Object.keys(KINDS) as DpopAlgorithm[]

/** What identifies a key of each type (RFC 7638 §3.2). */
const MEMBERS = { EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'], RSA: ['n', 'e'] } as const
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
/** 4096 bits in base64url: verifying with a longer key costs more than a stranger may ask for. */
const MAX_MODULUS = 683
/** 65537 has three bytes; a huge exponent makes verification slow. */
const MAX_EXPONENT = 6

/**
 * The public key a proof brings along, reduced to what identifies it; the reason instead where it is
 * not one this algorithm works with.
 */
export function readDpopKey(alg: DpopAlgorithm, jwk: unknown): JWK | string {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'jwk is not an object'
  const given = jwk as Readonly<Record<string, unknown>> // an object, checked above
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(given, name))) return 'jwk is not a public key'
  const { kty, crv } = KINDS[alg]
  if (given.kty !== kty || (crv !== undefined && given.crv !== crv)) return `jwk is not for ${alg}`
  const members: Record<string, string> = {}
  for (const name of MEMBERS[kty]) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined
    if (typeof value !== 'string' || value === '' || value.length > MAX_MODULUS) {
      return `jwk has no usable ${name}`
    }
    members[name] = value
  }
  if (kty === 'RSA' && (members.e?.length ?? 0) > MAX_EXPONENT) return 'jwk has no usable e'
  return { kty, ...members }
}
