import type { Context, ErrorHandler, NotFoundHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { Log } from '../broker/broker.ts'
import { type ErrorCode, MayflyError, STATUS_OF, traceOf } from '../errors.ts'
import { DPOP_ALGORITHMS } from '../identity/dpop-jwk.ts'
import type { ProblemWire } from '../model/wire.ts'
import { authZenError, authZenStatus, speaksAuthZen } from './authzen-error.ts'
import type { App, Env } from './env.ts'
import { oauthRefusal, speaksOAuth } from './oauth-error.ts'

/** The one place that turns errors into answers: RFC 9457 problem details with a closed `code`. */
export function answerProblem(log: Log): ErrorHandler<Env> {
  return (error, c) => {
    const refusal = refusalOf(error)
    note(log, c, { error, refusal })
    return speaksOAuth(c.req.path) ? oauthRefusal(c, refusal) : problem(c, refusal)
  }
}

/** A path nobody serves is `not_found`; one that only knows other methods says which. */
export function answerUnrouted(app: App): NotFoundHandler<Env> {
  const routes = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({ method, path: pathPattern(path) }))
  return (c) => {
    const known = routes.filter(({ path }) => path.test(c.req.path)).map(({ method }) => method)
    if (known.length === 0) return problem(c, new MayflyError('not_found', 'no such path'))
    c.header('allow', [...new Set(known)].join(', '))
    return problem(c, new MayflyError('method_not_allowed', 'this path does not know this method'))
  }
}

/** The `type` of every problem with this code (RFC 9457 §3.1.1). */
function problemType(code: ErrorCode): string {
  return `urn:mayfly:problem:${code}`
}

const TITLE_OF: Readonly<Record<ErrorCode, string>> = {
  invalid_request: 'The request is not valid',
  invalid_intent: 'The intent is not valid',
  unauthenticated: 'Who calls is not known',
  forbidden: 'This caller may not do this',
  agent_unknown: 'The workload is not an agent',
  proof_too_weak: 'The proof is too weak',
  intent_exceeded: 'Wider than what may be asked for',
  policy_denied: 'No policy permits this',
  blocked: 'Blocked',
  not_found: 'Not found',
  method_not_allowed: 'Method not allowed',
  conflict: 'In conflict with what is there',
  in_flight: 'The same request is under way',
  task_ended: 'The task has ended',
  lease_ended: 'The lease has ended',
  payload_too_large: 'The body is too large',
  unsupported_media_type: 'The body must be JSON',
  idempotency_mismatch: 'The key was used for another request',
  limit_reached: 'A limit is reached',
  config_invalid: 'The configuration is not valid',
  internal: 'Something went wrong here',
  upstream_refused: 'The upstream refused',
  unavailable: 'Not available now',
  not_revocable_now: 'Could not be ended now, so not issued',
  upstream_unavailable: 'The upstream gave no usable answer',
}

function problem(c: Context<Env>, refusal: MayflyError): Response {
  const { code, message, problems, retryAfterSeconds } = refusal
  c.set('refusal', refusal)
  if (retryAfterSeconds !== undefined) c.header('retry-after', String(retryAfterSeconds))
  if (STATUS_OF[code] === 401) c.header('www-authenticate', challengeOf(refusal))
  if (speaksAuthZen(c.req.path)) return c.json(authZenError(refusal), authZenStatus(code))
  const status = STATUS_OF[code]
  const body: ProblemWire = {
    type: problemType(code),
    title: TITLE_OF[code],
    status,
    code,
    detail: message,
    request_id: c.get('requestId'),
    ...(problems === undefined ? {} : { errors: problems.map((one) => ({ ...one })) }),
    ...(retryAfterSeconds === undefined ? {} : { retry_after: retryAfterSeconds }),
  }
  c.header('content-type', 'application/problem+json')
  return c.body(JSON.stringify(body), status)
}

/** RFC 6750 §3 and RFC 9449 §7.1; the error is named only to who speaks DPoP. */
function challengeOf({ challenge }: MayflyError): string {
  const error = challenge === undefined ? '' : `, error="${challenge}"`
  return `Bearer realm="mayfly", DPoP algs="${DPOP_ALGORITHMS.join(' ')}"${error}`
}

function refusalOf(error: Error): MayflyError {
  if (error instanceof MayflyError) return error
  if (error instanceof HTTPException && error.status === 415) {
    return new MayflyError('unsupported_media_type', 'the body must be application/json')
  }
  if (error instanceof HTTPException && error.status < 500) {
    return new MayflyError('invalid_request', 'the request could not be read')
  }
  return new MayflyError('internal', 'an unexpected error; the log has it by its request id')
}

/** Never the body or a header, and of an unforeseen error only its name and where it was thrown. */
function note(
  log: Log,
  c: Context<Env>,
  { error, refusal }: { error: Error; refusal: MayflyError },
): void {
  const { code, detail } = refusal
  const about = { request_id: c.get('requestId'), method: c.req.method, code, ...detail }
  if (code === 'internal') log.error({ ...about, error: traceOf(error) }, 'a request failed')
  else if (error.cause instanceof Error) {
    log.warn({ ...about, cause: traceOf(error.cause) }, refusal.message)
  } else log.info(about, refusal.message)
}

function pathPattern(path: string): RegExp {
  const parts = path.split('/').map((part) => (part.startsWith(':') ? '[^/]+' : part))
  return new RegExp(`^${parts.join('/').replaceAll('.', '\\.')}$`)
}
