import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import {
  authenticate,
  authenticateGateway,
  type Caller,
  type GatewayCaller,
  type OperatorCaller,
  type TaskCaller,
} from '../broker/authenticate.ts'
import type { Broker } from '../broker/broker.ts'
import { MayflyError } from '../errors.ts'
import type { Shown } from '../identity/shown.ts'
import { certificateReader } from './client-certificate.ts'

/** No issuer's token is longer; whatever is, is not worth looking at. */
const MAX_TOKEN = 16_384
const SEND_A_TOKEN = 'send Authorization: Bearer or DPoP with a token'

export type Guards = ReturnType<typeof guardsOf>

/**
 * Who may come in, by route: a task by its token, an operator by token or evidence, either, a
 * gateway by its own token or evidence, or a workload whose evidence the use case verifies itself. What they may see there is for the use case.
 */
export function guardsOf(broker: Broker) {
  const certificateOf = certificateReader()
  const shownBy = (c: Context): Shown => ({
    ...tokenShown(broker, c),
    certificate: () => certificateOf(c.env),
  })
  return {
    shownBy,
    /** The same where the token stands in the body, so that the header is free of it. */
    shownInBody: (c: Context, token: string): Shown => ({
      ...proofShown(broker, c),
      ...(token !== '' && { token }),
      certificate: () => certificateOf(c.env),
    }),
    task: createMiddleware<{ Variables: { caller: TaskCaller } }>(async (c, next) => {
      const caller = await authenticate(broker, shownBy(c))
      if (caller.kind !== 'task') throw forbidden('this call is for a task, with its own token')
      c.set('caller', caller)
      await next()
    }),
    operator: createMiddleware<{ Variables: { caller: OperatorCaller } }>(async (c, next) => {
      const caller = await authenticate(broker, shownBy(c))
      if (caller.kind !== 'operator') throw forbidden('this call is for operators')
      c.set('caller', caller)
      await next()
    }),
    either: createMiddleware<{ Variables: { caller: Caller } }>(async (c, next) => {
      c.set('caller', await authenticate(broker, shownBy(c)))
      await next()
    }),
    gateway: createMiddleware<{ Variables: { gateway: GatewayCaller } }>(async (c, next) => {
      c.set('gateway', await authenticateGateway(broker, shownBy(c)))
      await next()
    }),
    workload: createMiddleware<{ Variables: { evidence: Shown } }>(async (c, next) => {
      const evidence = shownBy(c)
      if (evidence.token === undefined && evidence.certificate?.() === undefined) {
        throw unauthenticated(SEND_A_TOKEN)
      }
      c.set('evidence', evidence)
      await next()
    }),
  }
}

/** Reads what a request's headers show; whoever speaks DPoP also hears the nonce of its next proof. */
function tokenShown({ dpop }: Broker, c: Context): Shown {
  const header = c.req.header('authorization')
  const proof = c.req.header('dpop')
  if (header === undefined && proof === undefined) return {}
  const [, scheme = '', token = ''] = /^(Bearer|DPoP) +([\x21-\x7e]+)$/i.exec(header ?? '') ?? []
  if (token === '' || token.length > MAX_TOKEN) throw unauthenticated(SEND_A_TOKEN)
  if (scheme.toLowerCase() === 'bearer') {
    if (proof === undefined) return { token }
    // Read as it stands it would open a task that anybody with its token can use.
    throw unauthenticated('a DPoP proof comes with Authorization: DPoP')
  }
  c.header('dpop-nonce', dpop.nonce())
  const { pathname } = new URL(c.req.url)
  return { token, dpop: { proof, method: c.req.method, path: pathname } }
}

function proofShown({ dpop }: Broker, c: Context): Shown {
  const proof = c.req.header('dpop')
  if (proof === undefined) return {}
  c.header('dpop-nonce', dpop.nonce())
  const { pathname } = new URL(c.req.url)
  return { dpop: { proof, method: c.req.method, path: pathname, tokenInBody: true } }
}

function unauthenticated(message: string): MayflyError {
  return new MayflyError('unauthenticated', message)
}

function forbidden(message: string): MayflyError {
  return new MayflyError('forbidden', message)
}
