import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTVerifyGetKey,
  type RemoteJWKSet,
} from 'jose'
import { MayflyError } from '../errors.ts'
import {
  type DocumentFetch,
  documentFetch,
  KEY_FETCH_TIMEOUT_MS,
  type KeyContext,
} from './documents.ts'
import type { Send } from './send.ts'

/** Keys are looked up again for an unknown `kid` at most this often. */
export const KEY_COOLDOWN_MS = 30_000
/** Known keys are believed this long without asking again. */
export const KEY_MAX_AGE_MS = 600_000
/** After a failed fetch the issuer is left alone this long, however many tokens come. */
export const KEY_FAILURE_PAUSE_MS = 2_000

/** Where the keys of one configured issuer are: nothing in a token has a say in it (P10). */
export interface KeyPlace {
  /** The issuer's name. */
  readonly issuer: string
  readonly send: Send
  find(fetchDocument: DocumentFetch): Promise<URL>
}

/** The keys found there. A key that is not there is jose's error; none to be had: `unavailable`. */
export function keysAt(place: KeyPlace, context: KeyContext): JWTVerifyGetKey {
  const fetchDocument = documentFetch(place.issuer, place.send, context)
  let opening: Promise<RemoteJWKSet> | undefined
  let opened: RemoteJWKSet | undefined
  const open = () => {
    opening ??= place.find(fetchDocument).then((url) =>
      createRemoteJWKSet(url, {
        timeoutDuration: KEY_FETCH_TIMEOUT_MS,
        cooldownDuration: context.cooldownMs,
        cacheMaxAge: KEY_MAX_AGE_MS,
        [customFetch]: fetchDocument,
      }),
    )
    return opening
  }
  return async (header, token) => {
    try {
      opened = await open()
      return await opened(header, token)
    } catch (error) {
      if (isAboutTheToken(error)) throw error
      // With no fresh keys left the next attempt discovers anew: the issuer may have moved them.
      if (!opened?.fresh) opening = undefined
      throw keysUnavailable(place.issuer, error)
    }
  }
}

export function isAboutTheToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  )
}

export function keysUnavailable(issuer: string, cause: unknown): MayflyError {
  return new MayflyError('unavailable', 'the evidence cannot be checked now; try again', {
    cause,
    detail: { issuer, reason: `its keys cannot be had: ${String(cause)}` },
    retryAfterSeconds: 5,
  })
}
