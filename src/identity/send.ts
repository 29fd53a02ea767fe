import type { IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import type { Secret } from '../secret.ts'

/** One request to an issuer: redirects are never followed. */
export interface Call {
  readonly method: 'GET' | 'POST'
  readonly headers: Headers
  readonly redirect: 'manual'
  readonly signal: AbortSignal
  readonly body?: string
}

export interface Answer {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: AsyncIterable<Uint8Array> | null
}

export type Send = (url: string, call: Call) => Promise<Answer>

/** References, read anew for each request: files rotate. */
export interface Credentials {
  /** PEM of the only authority believed. */
  readonly ca?: string | undefined
  readonly token?: string | undefined
}

/** How an issuer is reached: as any server, or trusting one authority, or showing a token. */
export function sendWith(
  { ca, token }: Credentials,
  context: { readonly fetch: typeof fetch; readonly secret: (reference: string) => Secret },
): Send {
  const plain: Send = (url, call) => context.fetch(url, call)
  const send = ca === undefined ? plain : sendTrusting(() => context.secret(ca).reveal(), plain)
  if (token === undefined) return send
  return (url, call) => {
    const headers = new Headers(call.headers)
    headers.set('authorization', `Bearer ${context.secret(token).reveal()}`)
    return send(url, { ...call, headers })
  }
}

function sendTrusting(readAuthority: () => string, plain: Send): Send {
  let trusted: { readonly ca: string; readonly agent: Agent } | undefined
  return async (url, call) => {
    if (!url.startsWith('https:')) return plain(url, call)
    const ca = readAuthority()
    if (trusted?.ca !== ca) {
      trusted?.agent.destroy()
      trusted = { ca, agent: new Agent({ ca, keepAlive: true }) }
    }
    const answer = await exchange(trusted.agent, url, call)
    const { statusCode: status = 0, headers } = answer
    return { status, headers: new Headers({ date: headers.date ?? '' }), body: answer }
  }
}

function exchange(agent: Agent, url: string, call: Call): Promise<IncomingMessage> {
  const { method, signal, body } = call
  const headers = Object.fromEntries(call.headers)
  return new Promise((resolve, reject) => {
    const request = httpsRequest(url, { method, signal, agent, headers }, resolve)
    request.on('error', reject)
    request.end(body)
  })
}
