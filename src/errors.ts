/** Every way Mayfly says no, with the HTTP status it travels under. */
export const STATUS_OF = {
  invalid_request: 400,
  invalid_intent: 400,
  unauthenticated: 401,
  forbidden: 403,
  agent_unknown: 403,
  proof_too_weak: 403,
  intent_exceeded: 403,
  policy_denied: 403,
  blocked: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  in_flight: 409,
  task_ended: 409,
  lease_ended: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  idempotency_mismatch: 422,
  limit_reached: 429,
  config_invalid: 422,
  internal: 500,
  upstream_refused: 502,
  unavailable: 503,
  not_revocable_now: 503,
  upstream_unavailable: 503,
} as const

export type ErrorCode = keyof typeof STATUS_OF

/** One problem in a document somebody wrote: where, and what to do about it. */
export interface Problem {
  path: string
  message: string
}

/** What a request under the scheme DPoP lacks (RFC 9449 §7.1). */
export type Challenge = 'use_dpop_nonce' | 'invalid_dpop_proof'

export interface ErrorExtras {
  cause?: unknown
  /** For audit and log; never sent to an agent. */
  detail?: Record<string, unknown>
  /** Single problems, with their paths, safe for the caller. */
  problems?: readonly Problem[]
  retryAfterSeconds?: number
  /** For the `WWW-Authenticate` of an `unauthenticated` answer. */
  challenge?: Challenge
}

/** The one error class. `message` is safe for the caller; `cause` and `detail` are not. */
export class MayflyError extends Error {
  readonly code: ErrorCode
  readonly detail: Record<string, unknown> | undefined
  readonly problems: readonly Problem[] | undefined
  readonly retryAfterSeconds: number | undefined
  readonly challenge: Challenge | undefined

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause })
    this.name = 'MayflyError'
    this.code = code
    this.detail = extras.detail
    this.problems = extras.problems
    this.retryAfterSeconds = extras.retryAfterSeconds
    this.challenge = extras.challenge
  }
}

/** What a log may say of any error: its kind and place, never its words, which may repeat a secret. */
export function traceOf(error: Error): Record<string, unknown> {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  return { name: error.name, ...code, at: frames.slice(0, 8).map((line) => line.trim()) }
}

/**
 * An error for the log. Only our own messages are written out; what a library attached to its
 * errors (requests, headers, bodies) is not looked at (P2).
 */
export function loggable(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error }
  const ours = error.name === 'MayflyError' || error.name === 'UpstreamError'
  return {
    ...traceOf(error),
    ...(ours ? { message: error.message } : {}),
    ...(error.cause instanceof Error ? { cause: traceOf(error.cause) } : {}),
  }
}
