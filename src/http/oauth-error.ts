import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type ErrorCode, type MayflyError, STATUS_OF } from '../errors.ts'
import type { Env } from './env.ts'

/** Where answers speak OAuth; everywhere else a refusal is a problem document. */
export function speaksOAuth(path: string): boolean {
  return path.startsWith('/oauth2/')
}

/** The names of RFC 6749 §5.2, 8693 §2.2.2, 9396 §5, 9449 §5 and 8628 §3.5. */
const ERRORS = [
  'invalid_request',
  'invalid_client',
  'invalid_target',
  'invalid_authorization_details',
  'invalid_dpop_proof',
  'use_dpop_nonce',
  'unsupported_grant_type',
  'access_denied',
  'authorization_pending',
  'temporarily_unavailable',
  'server_error',
] as const
type OAuthError = (typeof ERRORS)[number]

/** RFC 8693 §2.2.2: a subject or actor token that is not accepted makes the request invalid. */
const ERROR_OF: Readonly<Record<ErrorCode, OAuthError>> = {
  invalid_request: 'invalid_request',
  invalid_intent: 'invalid_authorization_details',
  unauthenticated: 'invalid_request',
  forbidden: 'access_denied',
  agent_unknown: 'invalid_request',
  proof_too_weak: 'invalid_request',
  intent_exceeded: 'invalid_authorization_details',
  policy_denied: 'access_denied',
  blocked: 'access_denied',
  not_found: 'invalid_target',
  method_not_allowed: 'invalid_request',
  conflict: 'invalid_request',
  in_flight: 'temporarily_unavailable',
  task_ended: 'invalid_request',
  lease_ended: 'temporarily_unavailable',
  payload_too_large: 'invalid_request',
  unsupported_media_type: 'invalid_request',
  idempotency_mismatch: 'invalid_request',
  limit_reached: 'temporarily_unavailable',
  config_invalid: 'server_error',
  internal: 'server_error',
  upstream_refused: 'server_error',
  unavailable: 'temporarily_unavailable',
  not_revocable_now: 'temporarily_unavailable',
  upstream_unavailable: 'temporarily_unavailable',
}

/** What single problems are called; of an approval the agent waits for, as RFC 8628 §3.5 has it. */
const ERROR_OF_PROBLEM: Readonly<Record<string, OAuthError>> = {
  grant_type: 'unsupported_grant_type',
  approval: 'authorization_pending',
}

/** Statuses that say something beyond "not so", for clients and proxies; all else is 400. */
const KEPT = new Set([405, 413, 415, 429, 500, 502, 503])

/** A refusal in the words of RFC 6749 §5.2. */
export function oauthRefusal(c: Context<Env>, refusal: MayflyError): Response {
  const { code, message, problems, challenge, retryAfterSeconds } = refusal
  const unknown = code === 'unauthenticated' && challenge === undefined
  // The token endpoint knows its callers by the tokens they exchange, the others by themselves.
  const client = unknown && c.req.path !== '/oauth2/token'
  const single = ERROR_OF_PROBLEM[problems?.[0]?.path ?? '']
  const named = client ? 'invalid_client' : (single ?? ERROR_OF[code])
  const error = challenge ?? named
  const status = client ? 401 : KEPT.has(STATUS_OF[code]) ? STATUS_OF[code] : 400
  c.set('refusal', refusal)
  if (client) c.header('www-authenticate', 'Basic realm="mayfly", charset="UTF-8"')
  if (retryAfterSeconds !== undefined) c.header('retry-after', String(retryAfterSeconds))
  c.header('content-type', 'application/json')
  const description = message.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "'")
  const body = JSON.stringify({ error, error_description: description })
  return c.body(body, status as ContentfulStatusCode) // one of STATUS_OF, 400 or 401
}

const oauthErrorAnswer = z
  .strictObject({ error: z.enum(ERRORS), error_description: z.string().optional() })
  .openapi('OAuthError', { description: 'RFC 6749 §5.2.' })

/** How an OAuth route refuses, for its description. */
export function oauthRefusals(...statuses: readonly number[]): Record<never, never> {
  const all = [400, 413, 415, 500, 503, ...statuses].toSorted((a, b) => a - b)
  return Object.fromEntries(
    all.map((status) => [
      status,
      {
        description: 'Refused, in the words of RFC 6749 §5.2.',
        content: { 'application/json': { schema: oauthErrorAnswer } },
      },
    ]),
  )
}
