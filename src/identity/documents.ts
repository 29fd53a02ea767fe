import type { Clock } from '../clock.ts'
import type { Secret } from '../secret.ts'
import type { Answer, Call, Send } from './send.ts'

/** How long one fetch of keys or metadata may take, body included. */
const KEY_FETCH_TIMEOUT_MS = 5_000
/** Larger than any real key set. */
const MAX_DOCUMENT_BYTES = 512 * 1024

export interface KeyContext {
  readonly clock: Clock
  readonly fetch: typeof fetch
  readonly secret: (reference: string) => Secret
  readonly cooldownMs: number
  readonly failurePauseMs: number
  readonly log: IdentityLog
}

export interface IdentityLog {
  warn(data: Record<string, unknown>, message: string): void
}

export type DocumentFetch = (url: string, call: Call) => Promise<Response>

/** Fetches without following redirects, up to a size, and not again right after a failure. */
export function documentFetch(issuer: string, send: Send, context: KeyContext): DocumentFetch {
  const { clock, failurePauseMs, log } = context
  let pausedUntil = Number.NEGATIVE_INFINITY
  return async (url, call) => {
    if (clock.monotonic() < pausedUntil) throw new Error('a fetch failed a moment ago')
    try {
      const answer = await send(url, call)
      const body = await readLimited(answer)
      if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
      return new Response(body, { status: 200 })
    } catch (error) {
      pausedUntil = clock.monotonic() + failurePauseMs
      log.warn({ issuer, url, error: String(error) }, 'the keys of an issuer cannot be had')
      throw error
    }
  }
}

/** A GET of JSON with a deadline. */
export async function getJson(fetchDocument: DocumentFetch, url: string): Promise<unknown> {
  const response = await fetchDocument(url, {
    method: 'GET',
    headers: new Headers({ accept: 'application/json' }),
    redirect: 'manual',
    signal: AbortSignal.timeout(KEY_FETCH_TIMEOUT_MS),
  })
  return await response.json()
}

/** The whole body, or an error where it is larger than any document Mayfly asks for. */
export async function readLimited({ body }: Answer): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.byteLength
    if (size > MAX_DOCUMENT_BYTES) throw new Error(`answered more than ${MAX_DOCUMENT_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Uint8Array.from(Buffer.concat(chunks))
}
