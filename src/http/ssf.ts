import { createRoute, z } from '@hono/zod-openapi'
import { type DeliveryRefusal, receiveEvent } from '../broker/receive-event.ts'
import { json, refusals } from './answers.ts'
import { rawBody } from './body.ts'
import type { App, Parts } from './env.ts'

const refusalAnswer = z
  .strictObject({
    err: z.enum([
      'invalid_request',
      'invalid_key',
      'invalid_issuer',
      'invalid_audience',
      'authentication_failed',
      'access_denied',
      'invalid_state',
    ]),
    description: z.string(),
  })
  .openapi('EventRefusal')

/** `POST /v1/ssf/{source}`: security event tokens, pushed (RFC 8935, SSF 1.0). */
export function ssfRoutes(app: App, { broker }: Parts): void {
  const receive = createRoute({
    method: 'post',
    path: '/v1/ssf/{source}',
    tags: ['signals'],
    summary: 'A security event token (RFC 8417) of a configured transmitter, pushed (RFC 8935)',
    description:
      'Read as CAEP 1.0 and RISC 1.0 say, within the scope of its source. Each `jti` counts once, one older than `max_age` is refused. What names nobody here, means nothing here or was overtaken by a later event is accepted and kept without effect.',
    // Who sends it is known by the token's signature alone, and by what `authorization` demands.
    security: [],
    request: { params: z.object({ source: z.string() }) },
    responses: {
      202: { description: 'Committed, with its effect; nothing more is said.' },
      400: json(refusalAnswer, 'Refused for good: the same token is refused again.'),
      ...refusals('payload_too_large', 'limit_reached'),
    },
  })
  app.openAPIRegistry.registerPath({
    ...receive,
    request: {
      ...receive.request,
      body: {
        required: true,
        content: { 'application/secevent+jwt': { schema: z.string() } },
      },
    },
  })
  app.openapi({ ...receive, hide: true }, async (c) => {
    const token = Buffer.from(await rawBody(c)).toString('latin1')
    const refusal = isEventToken(c.req.header('content-type'))
      ? await receiveEvent(broker, c.req.valid('param').source, {
          token,
          authorization: c.req.header('authorization'),
        })
      : NO_TOKEN
    if (refusal === undefined) return c.body(null, 202)
    // RFC 8935 §2.3: the language of the description.
    c.header('content-language', 'en')
    return c.json({ ...refusal }, 400)
  })
}

const NO_TOKEN: DeliveryRefusal = {
  err: 'invalid_request',
  description: 'the body must be application/secevent+jwt',
}

function isEventToken(type: string | undefined): boolean {
  return type !== undefined && /^application\/secevent\+jwt\s*(?:;|$)/i.test(type)
}
