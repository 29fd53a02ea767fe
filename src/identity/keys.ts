import { type CryptoKey, createLocalJWKSet, errors, type JWK, type JWTVerifyGetKey } from 'jose'
import { MayflyError } from '../errors.ts'
import type { KeyContext } from './documents.ts'

/** Keys are looked up again for an unknown `kid` at most this often. */
export const KEY_COOLDOWN_MS = 30_000
/** Known keys are believed this long without asking again. */
export const KEY_MAX_AGE_MS = 600_000
/** After a failed fetch the issuer is left alone this long, however many tokens come. */
export const KEY_FAILURE_PAUSE_MS = 2_000
/** NIST SP 800-131A: shorter RSA keys are not acceptable. */
const LEAST_RSA_BITS = 2_048

/** What an issuer publishes, as just read. */
export interface PublishedKeys {
  readonly keys: readonly JWK[]
  /** How long they may be believed; never longer than `KEY_MAX_AGE_MS`. */
  readonly believedMs: number
}

/** Where the keys of one configured issuer are: nothing in a token has a say in it (P10). */
export interface KeySource {
  /** The issuer's name. */
  readonly issuer: string
  /** Throws where they cannot be had. */
  read(): Promise<PublishedKeys>
}

interface Known {
  readonly find: JWTVerifyGetKey
  readonly readAt: number
  readonly believedMs: number
}

/**
 * The keys of an issuer, remembered. One that is not there, or not there alone, is jose's error;
 * none to be had is `unavailable`. What is known survives a failed look for a key that is not.
 */
export function rememberedKeys(source: KeySource, context: KeyContext): JWTVerifyGetKey {
  const { clock, cooldownMs } = context
  let known: Known | undefined
  let reading: Promise<Known> | undefined
  const refresh = () => {
    reading ??= source
      .read()
      .then(({ keys, believedMs }) => {
        const find = createLocalJWKSet({ keys: [...keys] })
        known = { find, believedMs, readAt: clock.monotonic() }
        return known
      })
      .finally(() => {
        reading = undefined
      })
    return reading
  }
  const lookUp: JWTVerifyGetKey = async (header, token) => {
    const fresh = known && clock.monotonic() - known.readAt < known.believedMs
    const current = known && fresh ? known : await refresh()
    try {
      return await current.find(header, token)
    } catch (error) {
      // Rotated since it was read? Look again, but not for every stranger.
      const lookAgain = clock.monotonic() - current.readAt >= cooldownMs
      if (!(error instanceof errors.JWKSNoMatchingKey && lookAgain)) throw error
      return await (await refresh()).find(header, token)
    }
  }
  return async (header, token) => {
    try {
      return refuseWeak(await lookUp(header, token))
    } catch (error) {
      throw isAboutTheToken(error) ? error : keysUnavailable(source.issuer, error)
    }
  }
}

/** Anyone can sign for a key whose exponent is 1, and soon for one that is short. */
function refuseWeak<Key extends Awaited<ReturnType<JWTVerifyGetKey>>>(key: Key): Key {
  if (!isCryptoKey(key) || !('publicExponent' in key.algorithm)) return key
  // RsaKeyAlgorithm, told by its exponent.
  const { modulusLength, publicExponent } = key.algorithm as unknown as {
    modulusLength: number
    publicExponent: Uint8Array
  }
  const exponent = Buffer.from(publicExponent).toString('hex').replace(/^0+/, '')
  const odd = Number.parseInt(exponent.slice(-1), 16) % 2 === 1
  if (modulusLength >= LEAST_RSA_BITS && odd && exponent !== '1') return key
  throw new errors.JOSENotSupported('its key is too weak to be believed')
}

function isCryptoKey(key: object): key is CryptoKey {
  return 'algorithm' in key && 'usages' in key
}

function isAboutTheToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  )
}

function keysUnavailable(issuer: string, cause: unknown): MayflyError {
  return new MayflyError('unavailable', 'the evidence cannot be checked now; try again', {
    cause,
    detail: { issuer, reason: `its keys cannot be had: ${String(cause)}` },
    retryAfterSeconds: 5,
  })
}
