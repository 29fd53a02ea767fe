import { createRoute, z } from '@hono/zod-openapi'
import { receiveAlert } from '../broker/receive-alert.ts'
import { json, refusals } from './answers.ts'
import { body, rawBody } from './body.ts'
import type { App, Parts } from './env.ts'
import { peerAddress } from './peer-address.ts'
import { signalAnswer, signalWire } from './wire/trouble.ts'

/** Alerts of senders that cannot sign, known by a secret path and the network they come from. */
export function alertRoutes(app: App, { broker }: Parts): void {
  const receive = createRoute({
    method: 'post',
    path: '/v1/signals/{source}/unsigned/{secret}',
    tags: ['signals'],
    summary: 'An alert of a sender that cannot sign: it may end tasks and agents, no more',
    description:
      'Known by the secret in the address and the network it comes from, read by the `preset` or `map` of its source. It never lowers a risk.',
    // The secret is in the path, and where it comes from counts.
    security: [],
    request: { params: z.object({ source: z.string(), secret: z.string() }) },
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
  app.openAPIRegistry.registerPath({
    ...receive,
    request: { ...receive.request, body: body(z.record(z.string(), z.unknown())) },
  })
  app.openapi({ ...receive, hide: true }, async (c) => {
    const { source, secret } = c.req.valid('param')
    const { signal } = await receiveAlert(broker, source, {
      secret,
      address: peerAddress(c, broker.world().config.server),
      rawBody: await rawBody(c),
    })
    return c.json({ signal: signalWire(signal) }, 202)
  })
}
