import { createRoute, z } from '@hono/zod-openapi'
import { type SignalTest, testSignal } from '../broker/test-signal.ts'
import type { SignalTestWire } from '../model/wire.ts'
import { json, refusals } from './answers.ts'
import { rawBody } from './body.ts'
import type { App, Parts } from './env.ts'
import { known } from './wire/known.ts'
import { selectorAnswer, selectorWire, signalAbout, signalLevel } from './wire/trouble.ts'

const testAnswer = z
  .strictObject({
    refused: z.string().optional().openapi({ description: 'Why it would not be accepted.' }),
    signature: z.enum(['right', 'not-checked']).optional(),
    message_id: z.string().optional(),
    about: signalAbout.optional(),
    subjects: z.array(selectorAnswer).optional().openapi({ description: 'Empty: nobody.' }),
    level: signalLevel.optional(),
    action: z.enum(['kill', 'block', 'risk', 'note']).optional(),
    reason: z.string().optional(),
    ttl_seconds: z.int().optional(),
    matched: z
      .strictObject({ leases: z.int(), tasks: z.int(), agents: z.int() })
      .optional()
      .openapi({ description: 'What it would end.' }),
  })
  .openapi('SignalTest')

/** `POST /v1/signals/{source}/test`: what a message would do, without any effect. */
export function signalTestRoutes(app: App, { broker, guards }: Parts): void {
  const test = createRoute({
    method: 'post',
    path: '/v1/signals/{source}/test',
    tags: ['signals'],
    summary: 'What a message of this source would do; nothing is changed',
    description:
      'Whom it names here, the level and what it would end. It may be given without a signature, a security event also as its claims alone. For operators of every tenant who may send signals.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { params: z.object({ source: z.string() }) },
    responses: {
      200: json(testAnswer, 'Whom it is about here, and what would come of it.'),
      ...refusals(
        'invalid_request',
        'unauthenticated',
        'forbidden',
        'not_found',
        'payload_too_large',
      ),
    },
  })
  app.openAPIRegistry.registerPath({
    ...test,
    request: {
      ...test.request,
      body: { required: true, content: { '*/*': { schema: z.string() } } },
    },
  })
  app.openapi({ ...test, hide: true }, async (c) => {
    const request = { source: c.req.valid('param').source, rawBody: await rawBody(c) }
    return c.json(testWire(await testSignal(broker, c.var.caller, request)), 200)
  })
}

function testWire(test: SignalTest): SignalTestWire {
  if ('refused' in test) return { refused: test.refused }
  const { report, effective, matched, signature } = test
  const { about, action, reason } = report
  return {
    signature,
    ...known({ message_id: report.messageId, about, level: report.level }),
    subjects: effective.map(selectorWire),
    action,
    reason,
    ...known({ ttl_seconds: report.ttlSeconds }),
    matched: { ...matched },
  }
}
