import { createMiddleware } from 'hono/factory'
import {
  authenticate,
  type Caller,
  type OperatorCaller,
  type TaskCaller,
} from '../broker/authenticate.ts'
import type { Broker } from '../broker/broker.ts'
import { MayflyError } from '../errors.ts'

/** No issuer's token is longer; whatever is, is not worth looking at. */
const MAX_BEARER = 16_384

export type Guards = ReturnType<typeof guardsOf>

/**
 * Who may come in, by route: a task by its token, an operator by token or evidence, either, or a
 * workload whose evidence the use case verifies itself. What they may see there is for the use case.
 */
export function guardsOf(broker: Broker) {
  return {
    task: createMiddleware<{ Variables: { caller: TaskCaller } }>(async (c, next) => {
      const caller = await authenticate(broker, bearerOf(c.req.header('authorization')))
      if (caller.kind !== 'task') throw forbidden('this call is for a task, with its own token')
      c.set('caller', caller)
      await next()
    }),
    operator: createMiddleware<{ Variables: { caller: OperatorCaller } }>(async (c, next) => {
      const caller = await authenticate(broker, bearerOf(c.req.header('authorization')))
      if (caller.kind !== 'operator') throw forbidden('this call is for operators')
      c.set('caller', caller)
      await next()
    }),
    either: createMiddleware<{ Variables: { caller: Caller } }>(async (c, next) => {
      c.set('caller', await authenticate(broker, bearerOf(c.req.header('authorization'))))
      await next()
    }),
    workload: createMiddleware<{ Variables: { evidence: string } }>(async (c, next) => {
      c.set('evidence', bearerOf(c.req.header('authorization')))
      await next()
    }),
  }
}

function bearerOf(header: string | undefined): string {
  const token = /^Bearer +([\x21-\x7e]+)$/i.exec(header ?? '')?.[1]
  if (token !== undefined && token.length <= MAX_BEARER) return token
  throw new MayflyError('unauthenticated', 'send Authorization: Bearer with a token')
}

function forbidden(message: string): MayflyError {
  return new MayflyError('forbidden', message)
}
