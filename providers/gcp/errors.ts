import { retryAfterOf, UpstreamError } from '../../src/provider.ts'

/** What is known of one HTTP call that did not succeed; never the client's own error object. */
export interface Failure {
  /** Null where no answer came. */
  readonly status: number | null
  /** Google's own name of the error, `PERMISSION_DENIED` or OAuth's `invalid_grant`. */
  readonly code: string | undefined
  /** Nothing was sent: the connection was never made. */
  readonly unsent: boolean
  /** For how long Google asks to be left alone, where it does. */
  readonly retryAfterMs?: number | undefined
}

/**
 * Answers by which Google says that it did nothing: bad request, unauthenticated, forbidden,
 * unknown account, out of quota. Each must be an error document of Google's own making, because a
 * proxy on the way proves nothing.
 */
const REFUSALS: readonly number[] = [400, 401, 403, 404, 429]
/** The connection was not made, so nothing was sent. */
const UNSENT_CODES: readonly unknown[] = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']

/** Reads what can be told safely out of anything a Google client throws. */
export function failureOf(error: unknown): Failure {
  const response = field(error, 'response')
  const status = Number(field(response, 'status'))
  if (Number.isInteger(status) && status > 0) {
    // For a streamed request the client leaves `data` empty and puts the document in its message.
    const code = codeOf(field(response, 'data')) ?? codeOf(field(error, 'message'))
    return { status, code, unsent: false, retryAfterMs: retryAfter(response, status) }
  }
  return { status: null, code: undefined, unsent: isUnsent(error) }
}

export function isRefusal(failure: Failure): boolean {
  if (failure.unsent) return true
  return failure.status !== null && REFUSALS.includes(failure.status) && failure.code !== undefined
}

/** Says what failed and how, in words for operators. */
export function upstreamError(what: string, failure: Failure): UpstreamError {
  return new UpstreamError(
    isRefusal(failure) ? 'refused' : 'unknown',
    `${what}: ${describeFailure(failure)}`,
    failure.code,
    failure.retryAfterMs,
  )
}

function describeFailure(failure: Failure): string {
  if (failure.unsent) return 'no connection to the endpoint'
  if (failure.status === null) return 'no usable answer came before the deadline'
  return `answered ${failure.status}${failure.code === undefined ? '' : ` ${failure.code}`}`
}

function retryAfter(response: unknown, status: number): number | undefined {
  const headers = field(response, 'headers')
  const header = headers instanceof Headers ? headers.get('retry-after') : undefined
  const sentAt = headers instanceof Headers ? Date.parse(headers.get('date') ?? '') : Number.NaN
  return retryAfterOf({ status, header }, sentAt)
}

/** Error names are upper-case words at Google, lower-case in OAuth; anything else is not one. */
const CODE = /^[A-Za-z_]{1,64}$/

function codeOf(data: unknown): string | undefined {
  const error = field(typeof data === 'string' ? parse(data) : data, 'error')
  const code = typeof error === 'string' ? error : (field(error, 'status') ?? reasonOf(error))
  return typeof code === 'string' && CODE.test(code) ? code : undefined
}

/** Cloud Storage names its errors by reason only. */
function reasonOf(error: unknown): unknown {
  return field(field(field(error, 'errors'), '0'), 'reason')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Clients wrap causes, some of them several times. */
function isUnsent(error: unknown): boolean {
  for (let at = error, depth = 0; at !== undefined && depth < 5; depth++) {
    if (UNSENT_CODES.includes(field(at, 'code'))) return true
    at = field(at, 'cause')
  }
  return false
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Reflect.get(value, name)
}
