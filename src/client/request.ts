import type { ProblemWire } from '../model/wire.ts'
import { ApiError, UnreachableError } from './api-error.ts'

export interface ClientOptions {
  /** Where the broker is, for example `http://127.0.0.1:8700`. */
  readonly url: string
  /** Sent as `Authorization: Bearer`: an operator token, a task token or a workload's evidence. */
  readonly token?: string
  readonly timeoutMs?: number
  /** Stands in for the network in tests. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** From `path`: its parts are escaped. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: unknown
  /** Sent as it is, instead of `body`: what was signed must not be written anew. */
  readonly rawBody?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Longer than the broker's own mint deadline, so that its answer arrives first. */
const TIMEOUT_MS = 30_000

/** A path whose values cannot leave their place: path`/v1/leases/${id}/end`. */
export function path(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return parts.reduce((text, part, index) => {
    const value = values[index - 1] ?? ''
    // Nothing, `.` and `..` would make another path: a null byte makes sure there is no such id.
    const escaped = /^\.{0,2}$/.test(value) ? '%00' : encodeURIComponent(value)
    return `${text}${escaped}${part}`
  })
}

/**
 * Sends one request and reads one JSON answer. Throws `ApiError` for every answer that is not a
 * success, `UnreachableError` where none came. Redirects are not followed: the token is for one
 * host. The answer is trusted to have the shape the API promises.
 */
export async function send<T>(options: ClientOptions, request: ApiRequest): Promise<T> {
  const url = requestUrl(options.url, request)
  const response = await exchange(options, { url, request })
  const body = await readBody(response, url)
  if (response.ok && body !== undefined) return body as T // the API's promise, see wire.ts
  if (isProblem(body)) {
    throw new ApiError({
      status: response.status,
      message: body.detail ?? body.title,
      problem: body,
    })
  }
  throw new ApiError({
    status: response.status,
    message: `${url} answered ${response.status} and is not a Mayfly API: check the address`,
  })
}

function requestUrl(base: string, { path, query }: ApiRequest): string {
  const url = `${base.replace(/\/+$/, '')}${path}`
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined) search.set(key, String(value))
  }
  return search.size === 0 ? url : `${url}?${search}`
}

async function exchange(
  { token, timeoutMs = TIMEOUT_MS, fetch: send = fetch }: ClientOptions,
  { url, request }: { url: string; request: ApiRequest },
): Promise<Response> {
  const body = request.rawBody ?? (request.body === undefined ? null : JSON.stringify(request.body))
  try {
    return await send(url, {
      method: request.method,
      headers: {
        accept: 'application/json, application/problem+json',
        ...(body === null ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...request.headers,
      },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    })
  } catch (error) {
    throw unreachable(url, { error, timeoutMs })
  }
}

function unreachable(url: string, { error, timeoutMs }: { error: unknown; timeoutMs: number }) {
  const { origin } = URL.canParse(url) ? new URL(url) : { origin: url }
  const timedOut = error instanceof Error && error.name === 'TimeoutError'
  const why = timedOut ? `no answer within ${Math.round(timeoutMs / 1000)} s` : causeOf(error)
  return new UnreachableError(
    url,
    `cannot reach Mayfly at ${origin} (${why}): is it running, and is MAYFLY_URL right?`,
    error,
  )
}

/** The network's own word (`ECONNREFUSED`), which `fetch` hides one level down. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  if (cause instanceof Error && 'code' in cause) return String(cause.code)
  return cause instanceof Error ? cause.message : String(cause)
}

async function readBody(response: Response, url: string): Promise<unknown> {
  try {
    const text = await response.text()
    return text === '' ? (response.ok ? {} : undefined) : JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw new UnreachableError(url, `the answer of ${url} broke off: ${causeOf(error)}`, error)
  }
}

function isProblem(body: unknown): body is ProblemWire {
  if (typeof body !== 'object' || body === null) return false
  const { code, title } = body as Record<string, unknown> // checked field by field below
  return typeof code === 'string' && typeof title === 'string'
}
