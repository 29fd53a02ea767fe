import type { Answer } from '../faults.ts'
import { parseBoundary } from './boundary.ts'
import { type Call, json, type Route } from './request.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** Security Token Service v1: an access token for one inside a Credential Access Boundary. */
export const stsRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: /^\/v1\/token$/,
    operation: 'token',
    perform: exchange,
    pretend: () => granted('ya29.never-exchanged', 300),
  },
]

function exchange(call: Call): Answer {
  const form = new URLSearchParams(call.body.toString('utf8'))
  if (form.get('grant_type') !== EXCHANGE) return refused('unsupported_grant_type', 'grant_type')
  for (const name of ['subject_token_type', 'requested_token_type']) {
    if (form.get(name) !== ACCESS_TOKEN) return refused('invalid_request', name)
  }
  const boundary = parseBoundary(optionsOf(form.get('options')))
  if (typeof boundary === 'string') return refused('invalid_request', boundary)
  const source = call.world.tokens.get(form.get('subject_token') ?? '')
  if (!source || source.boundary || !call.world.honours(source)) {
    return refused('invalid_grant', 'the subject token is not an active source token')
  }
  const token = call.world.mint({
    account: source.account,
    scopes: source.scopes,
    expiresAt: source.expiresAt,
    name: source.name,
    boundary,
  })
  return granted(token.value, Math.floor((source.expiresAt - call.world.now()) / 1_000))
}

function optionsOf(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return undefined
  }
}

function granted(token: string, seconds: number): Answer {
  return json(200, {
    access_token: token,
    issued_token_type: ACCESS_TOKEN,
    token_type: 'Bearer',
    expires_in: seconds,
  })
}

function refused(error: string, description: string): Answer {
  return json(400, { error, error_description: description })
}
