import type { Answer } from '../faults.ts'
import type { World } from './world.ts'

/** One request to any of the sandbox's APIs, read whole. */
export interface Call {
  readonly world: World
  readonly bearer: string | undefined
  readonly params: readonly string[]
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  readonly origin: string
}

export interface Route {
  readonly method: string
  /** Matched against the path; its groups, URL-decoded, are the call's `params`. */
  readonly path: RegExp
  /** What a test plans faults for. */
  readonly operation: string
  perform(call: Call): Answer
  /** What a lying upstream says; absent: the truth, for reads. */
  pretend?(call: Call): Answer
}

export function json(status: number, body: unknown): Answer {
  return { status, body: JSON.stringify(body) }
}

const STATUS_NAMES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
}

/** An error as Google's APIs write it. */
export function googleError(code: number, message: string, status?: string): Answer {
  const reason = status ?? STATUS_NAMES[code] ?? 'UNKNOWN'
  const errors = [{ message, domain: 'global', reason: reason.toLowerCase() }]
  return json(code, { error: { code, message, status: reason, errors } })
}

export function bodyOf(call: Call): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(call.body.toString('utf8') || '{}')
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return Object.fromEntries(Object.entries(value))
  } catch {
    return undefined
  }
}

/** The lease's upstream name, in the header that Google copies into audit logs. */
export function reasonOf(call: Call): string | undefined {
  const value = call.headers['x-goog-request-reason']
  return typeof value === 'string' ? value : undefined
}
