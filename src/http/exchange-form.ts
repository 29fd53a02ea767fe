import type { Context } from 'hono'
import type { ExchangeRequest } from '../broker/exchange.ts'
import { MayflyError } from '../errors.ts'
import type { Shown } from '../identity/shown.ts'
import { intentSchema } from '../intent/item-schema.ts'
import type { IntentItem } from '../model/intent.ts'
import { hasUniqueKeys } from '../model/unique-keys.ts'
import type { Form } from './form.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
export const DELEGATION = 'urn:mayfly:token-type:delegation'
/** RFC 8693 §3. */
const JWT = ['urn:ietf:params:oauth:token-type:jwt', 'urn:ietf:params:oauth:token-type:id_token']
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,127}$/
const MAX_SCOPES = 50

type InBody = (c: Context, token: string) => Shown

/** A form of RFC 8693 §2.1 in the words of the use case. Throws `invalid_request`, `invalid_intent`. */
export function exchangeOf(c: Context, form: Form, shownInBody: InBody): ExchangeRequest {
  if (form.required('grant_type') !== TOKEN_EXCHANGE) {
    throw invalid(`grant_type must be ${TOKEN_EXCHANGE}`, 'grant_type')
  }
  const wanted = form.one('requested_token_type')
  if (wanted !== undefined && wanted !== ACCESS_TOKEN && wanted !== JWT[0]) {
    throw invalid('requested_token_type must be that of an access token')
  }
  return {
    subject: subjectOf(form, (token) => shownInBody(c, token)),
    client: form.one('client_id'),
    details: detailsOf(form.one('authorization_details')),
    scope: scopeOf(form.one('scope')),
    audiences: [...form.all('audience'), ...form.all('resource')],
  }
}

/**
 * A task token speaks for its task, evidence opens one; a delegation opens one for the actor whose
 * evidence comes with it, which is on behalf of the subject (RFC 8693 §1.1).
 */
function subjectOf(form: Form, shown: (token: string) => Shown): ExchangeRequest['subject'] {
  const token = form.required('subject_token')
  const type = form.required('subject_token_type')
  const actor = form.one('actor_token')
  const actorType = form.one('actor_token_type')
  if ((actor === undefined) !== (actorType === undefined)) {
    throw invalid('actor_token and actor_token_type come together')
  }
  if (type === DELEGATION) {
    if (actor === undefined || !JWT.includes(actorType ?? '')) {
      throw invalid('a delegation needs the evidence of its executor as actor_token, a jwt')
    }
    return { kind: 'evidence', shown: shown(actor), delegation: token }
  }
  if (actor !== undefined) throw invalid('an actor_token goes with a delegation')
  if (type === ACCESS_TOKEN && token.startsWith('mft_'))
    return { kind: 'task', shown: shown(token) }
  if (JWT.includes(type)) return { kind: 'evidence', shown: shown(token), delegation: undefined }
  throw invalid('subject_token must be evidence (jwt) or a task token (access_token)')
}

/** RFC 9396 §2: an array, strictly ours in every item. */
function detailsOf(text: string | undefined): readonly IntentItem[] {
  if (text === undefined) return []
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw unusable('must be JSON')
  }
  if (!hasUniqueKeys(text, value)) throw unusable('must say each key once')
  const parsed = intentSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw unusable(`[${issue?.path.join('.') ?? ''}] ${issue?.message ?? 'is not an intent'}`)
}

function scopeOf(text: string | undefined): readonly string[] {
  const scopes = (text ?? '').split(' ').filter((one) => one !== '')
  if (scopes.length > MAX_SCOPES || !scopes.every((one) => SCOPE.test(one))) {
    throw invalid('scope must be names with a space between them')
  }
  return scopes
}

function invalid(message: string, path?: string): MayflyError {
  const problems = path === undefined ? {} : { problems: [{ path, message }] }
  return new MayflyError('invalid_request', message, problems)
}

function unusable(message: string): MayflyError {
  return new MayflyError('invalid_intent', `authorization_details ${message}`.slice(0, 300))
}
