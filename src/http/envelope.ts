import type { HttpBindings } from '@hono/node-server'
import type { Context, MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import type { Broker } from '../broker/broker.ts'
import { newId } from '../ids.ts'
import type { Env } from './env.ts'
import type { Metrics } from './metrics.ts'

/** Answers are for one reader, never a cache, never a page of another origin. */
const HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  pragma: 'no-cache',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

/** What a caller may choose as a request's name: nothing that could break a log line. */
const SANE_REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** Names the request, sets the headers of every answer, measures it and notes it in the log. */
export function envelope(broker: Broker, metrics: Metrics): MiddlewareHandler<Env> {
  const { clock, log } = broker
  return async (c, next) => {
    const begun = clock.monotonic()
    const asked = c.req.header('x-request-id') ?? ''
    const requestId = SANE_REQUEST_ID.test(asked) ? asked : newId('req', broker)
    c.set('requestId', requestId)
    const set = headerSetter(c)
    for (const name in HEADERS) set(name, HEADERS[name] ?? '')
    set('x-request-id', requestId)
    await next()
    const ms = clock.monotonic() - begun
    const route = routePath(c, -1)
    const answer = { route, method: c.req.method, status: c.res.status, seconds: ms / 1000 }
    metrics.answered({ ...answer, refusal: c.get('refusal'), upstream: c.get('upstream') })
    const { method, status } = answer
    log.debug({ request_id: requestId, method, route, status, ms }, 'answered')
  }
}

/** Straight to the server's answer where there is one: a `Headers` object costs more than all else. */
function headerSetter(c: Context): (name: string, value: string) => void {
  // Not there where an application is asked without a server.
  const { outgoing } = (c.env ?? {}) as Partial<HttpBindings>
  return outgoing === undefined
    ? (name, value) => c.header(name, value)
    : (name, value) => outgoing.setHeader(name, value)
}
