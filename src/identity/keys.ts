import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTVerifyGetKey,
  type RemoteJWKSet,
} from 'jose'
import type { Clock } from '../clock.ts'
import { MayflyError } from '../errors.ts'
import type { IssuerConfig } from './settings.ts'
import { httpsOrLoopback } from './url.ts'

/** How long one fetch of keys or metadata may take, body included. */
export const KEY_FETCH_TIMEOUT_MS = 5_000
/** Keys are looked up again for an unknown `kid` at most this often. */
export const KEY_COOLDOWN_MS = 30_000
/** Known keys are believed this long without asking again. */
export const KEY_MAX_AGE_MS = 600_000
/** After a failed fetch the issuer is left alone this long, however many tokens come. */
export const KEY_FAILURE_PAUSE_MS = 2_000
/** Larger than any real key set. */
const MAX_DOCUMENT_BYTES = 512 * 1024

export interface KeyContext {
  readonly clock: Clock
  readonly fetch: typeof fetch
  readonly cooldownMs: number
  readonly failurePauseMs: number
  readonly log: IdentityLog
}

export interface IdentityLog {
  warn(data: Record<string, unknown>, message: string): void
}

/**
 * The keys of one configured issuer: from its `jwks_uri`, or by discovery on its own host. Nothing
 * in a token chooses the address (P10). A key that is not there is jose's error; keys that cannot
 * be had now are `unavailable`.
 */
export function issuerKeys(issuer: IssuerConfig, context: KeyContext): JWTVerifyGetKey {
  const fetchDocument = pausingFetch(issuer, context)
  let opening: Promise<RemoteJWKSet> | undefined
  let opened: RemoteJWKSet | undefined
  const open = () => {
    opening ??= keyAddress(issuer, fetchDocument).then((url) =>
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
      throw keysUnavailable(issuer, error)
    }
  }
}

async function keyAddress(issuer: IssuerConfig, fetchDocument: DocumentFetch): Promise<URL> {
  if (issuer.jwks_uri !== undefined) return new URL(issuer.jwks_uri)
  const base = issuer.issuer.replace(/\/$/, '')
  const response = await fetchDocument(`${base}/.well-known/openid-configuration`, {
    method: 'GET',
    headers: new Headers({ accept: 'application/json' }),
    redirect: 'manual',
    signal: AbortSignal.timeout(KEY_FETCH_TIMEOUT_MS),
  })
  if (response.status !== 200) throw new Error(`discovery answered ${response.status}`)
  const metadata: unknown = await response.json()
  return discoveredAddress(issuer, metadata)
}

function discoveredAddress(issuer: IssuerConfig, metadata: unknown): URL {
  if (typeof metadata !== 'object' || metadata === null) throw new Error('discovery is no object')
  if (!('issuer' in metadata) || metadata.issuer !== issuer.issuer) {
    throw new Error('discovery answered for another issuer')
  }
  const text = 'jwks_uri' in metadata ? metadata.jwks_uri : undefined
  const url = typeof text === 'string' ? httpsOrLoopback(text) : undefined
  if (url === undefined) throw new Error('discovery names no https jwks_uri')
  if (url.origin !== new URL(issuer.issuer).origin) {
    throw new Error(
      `its jwks_uri is on another host (${url.origin}); set jwks_uri if that is right`,
    )
  }
  return url
}

interface FetchOptions {
  method: 'GET'
  headers: Headers
  redirect: 'manual'
  signal: AbortSignal
}
type DocumentFetch = (url: string, options: FetchOptions) => Promise<Response>

/** Fetches without following redirects, up to a size, and not again right after a failure. */
function pausingFetch(issuer: IssuerConfig, context: KeyContext): DocumentFetch {
  const { clock, failurePauseMs, log } = context
  let pausedUntil = Number.NEGATIVE_INFINITY
  return async (url, options) => {
    if (clock.monotonic() < pausedUntil) throw new Error('a fetch failed a moment ago')
    try {
      const response = await context.fetch(url, options)
      const body = await readLimited(response)
      if (response.status !== 200) throw new Error(`${url} answered ${response.status}`)
      return new Response(body, { status: 200 })
    } catch (error) {
      pausedUntil = clock.monotonic() + failurePauseMs
      log.warn(
        { issuer: issuer.name, url, error: String(error) },
        'the keys of an issuer cannot be had',
      )
      throw error
    }
  }
}

async function readLimited(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > MAX_DOCUMENT_BYTES) throw new Error(`answered more than ${MAX_DOCUMENT_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Uint8Array.from(Buffer.concat(chunks))
}

function isAboutTheToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  )
}

function keysUnavailable(issuer: IssuerConfig, cause: unknown): MayflyError {
  return new MayflyError('unavailable', 'the evidence cannot be checked now; try again', {
    cause,
    detail: { issuer: issuer.name, reason: `its keys cannot be had: ${String(cause)}` },
    retryAfterSeconds: 5,
  })
}
