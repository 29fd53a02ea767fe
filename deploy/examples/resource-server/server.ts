/**
 * A small API that lets Mayfly's access tokens in. For each request it does three things, and needs
 * all of them: check the token and the proof of its key (RFC 9068, RFC 9449), ask Mayfly whether the
 * token still counts (RFC 7662), and look whether one of its grants is for this action at this path.
 *
 *   npm install oauth4webapi
 *   MAYFLY_URL=http://127.0.0.1:8700 API_URL=http://127.0.0.1:8800 API_NAME=tickets-api \
 *   API_SECRET=mfr_… node server.ts
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import * as oauth from 'oauth4webapi'
import { permits } from './grants.ts'

export interface ApiOptions {
  readonly mayfly: string
  /** Where clients reach this API; also the audience of its tokens. */
  readonly url: string
  /** As it stands under `resource_servers` in mayfly.yaml. */
  readonly name: string
  readonly secret: string
  readonly fetch?: typeof fetch
}

const ACTIONS: Readonly<Record<string, string>> = {
  GET: 'tickets:read',
  POST: 'tickets:comment',
  DELETE: 'tickets:delete',
}

/** Answers whether a request is let in: 200, 401 where its token is not good, 403 where not enough. */
export async function guard(options: ApiOptions): Promise<(request: Request) => Promise<Response>> {
  const client = { client_id: options.name }
  const auth = oauth.ClientSecretBasic(options.secret)
  const send = options.fetch ?? fetch
  // Plain http is for trying it out on one machine.
  const http = {
    [oauth.allowInsecureRequests]: options.mayfly.startsWith('http:'),
    [oauth.customFetch]: (url: string, init: object) => send(url, init),
  }
  const issuer = new URL(options.mayfly)
  const found = await oauth.discoveryRequest(issuer, { ...http, algorithm: 'oauth2' })
  const mayfly = await oauth.processDiscoveryResponse(issuer, found)

  return async (request) => {
    let token: string
    try {
      await oauth.validateJwtAccessToken(mayfly, request, options.url, http)
      token = request.headers.get('authorization')?.split(' ').at(-1) ?? ''
    } catch {
      return refusal(401, 'invalid_token')
    }
    // Every time: an answer that is kept is how long an ended token still works.
    const asked = await oauth.introspectionRequest(mayfly, client, auth, token, http)
    const answer = await oauth.processIntrospectionResponse(mayfly, client, asked)
    if (!answer.active) return refusal(401, 'invalid_token')
    const action = ACTIONS[request.method] ?? ''
    const path = new URL(request.url).pathname
    if (!permits(answer.authorization_details, { action, path })) {
      return refusal(403, 'insufficient_scope')
    }
    return Response.json({ action, path, for: answer.sub })
  }
}

export async function startApi(options: ApiOptions): Promise<Server> {
  const answer = await guard(options)
  return createServer((incoming, outgoing) => {
    answer(requestOf(incoming, options.url))
      .catch(() => new Response(null, { status: 503 })) // without an answer from Mayfly nobody comes in
      .then(async (response) => {
        outgoing.writeHead(response.status, Object.fromEntries(response.headers))
        outgoing.end(await response.text())
      })
      .catch(() => outgoing.destroy())
  })
}

function refusal(status: 401 | 403, error: string): Response {
  const headers = { 'www-authenticate': `DPoP error="${error}", Bearer error="${error}"` }
  return Response.json({ error }, { status, headers })
}

/** The request as its client meant it: proofs are for the public address. */
function requestOf({ method = 'GET', url = '/', rawHeaders }: IncomingMessage, base: string) {
  const headers = new Headers()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
  }
  return new Request(new URL(url, base), { method, headers })
}

if (import.meta.main) {
  const { MAYFLY_URL = '', API_URL = '', API_NAME = '', API_SECRET = '' } = process.env
  const options = { mayfly: MAYFLY_URL, url: API_URL, name: API_NAME, secret: API_SECRET }
  const server = await startApi(options)
  server.listen(Number(new URL(API_URL).port), new URL(API_URL).hostname)
}
