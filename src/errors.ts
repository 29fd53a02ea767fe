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

export interface ErrorExtras {
  cause?: unknown
  /** For audit and log; never sent to an agent. */
  detail?: Record<string, unknown>
  /** Single problems, with their paths, safe for the caller. */
  problems?: readonly Problem[]
  retryAfterSeconds?: number
}

/** The one error class. `message` is safe for the caller; `cause` and `detail` are not. */
export class MayflyError extends Error {
  readonly code: ErrorCode
  readonly detail: Record<string, unknown> | undefined
  readonly problems: readonly Problem[] | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause })
    this.name = 'MayflyError'
    this.code = code
    this.detail = extras.detail
    this.problems = extras.problems
    this.retryAfterSeconds = extras.retryAfterSeconds
  }
}
