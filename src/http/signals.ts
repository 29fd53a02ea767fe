import { createRoute, z } from '@hono/zod-openapi'
import { listSignals } from '../broker/read-trouble.ts'
import { receiveSignal } from '../broker/receive-signal.ts'
import { signalBodySchema } from '../signals/signal.ts'
import { json, refusals } from './answers.ts'
import { body, rawBody } from './body.ts'
import type { App, Parts } from './env.ts'
import { BY_TIME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { signalAnswer, signalWire } from './wire/trouble.ts'

/** `/v1/signals`: what sources say, known by their signature alone, and what came of it. */
export function signalRoutes(app: App, { broker, guards }: Parts): void {
  const tags = ['signals']
  const receive = createRoute({
    method: 'post',
    path: '/v1/signals/{source}',
    tags,
    summary: 'A signed signal (Standard Webhooks); the signature covers the bytes of the body',
    description:
      'It sets a risk, blocks or kills, within the scope of its source and its `max_action`. The same message again has the same answer and no second effect.',
    security: [{ signature: [] }],
    request: { params: z.object({ source: z.string() }) },
    responses: {
      202: json(z.strictObject({ signal: signalAnswer }), 'Committed, with its effect.'),
      ...refusals(
        'invalid_request',
        'unauthenticated',
        'forbidden',
        'conflict',
        'payload_too_large',
        'limit_reached',
      ),
    },
  })
  // Its body is described but not parsed by the route: the signature is over the bytes as they came.
  app.openAPIRegistry.registerPath({
    ...receive,
    request: { ...receive.request, body: body(signalBodySchema) },
  })
  app.openapi({ ...receive, hide: true }, async (c) => {
    const delivery = { headers: c.req.raw.headers, rawBody: await rawBody(c) }
    const { signal } = await receiveSignal(broker, c.req.valid('param').source, delivery)
    return c.json({ signal: signalWire(signal) }, 202)
  })

  const list = createRoute({
    method: 'get',
    path: '/v1/signals',
    tags,
    summary: 'Signals received, newest first',
    description:
      'Those about the operator’s tenants: whom each named, what came of it and, where nothing did, why.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { query: z.strictObject({ ...paging, source: z.string().optional() }) },
    responses: {
      200: json(pageAnswer(signalAnswer), 'A page of signals.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const { source, ...query } = c.req.valid('query')
    const page = pageOf(query, BY_TIME)
    const request = source === undefined ? { page } : { source, page }
    return c.json(pageWire(await listSignals(broker, c.var.caller, request), signalWire), 200)
  })
}
