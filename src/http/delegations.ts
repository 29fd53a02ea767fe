import { createRoute, z } from '@hono/zod-openapi'
import { delegate } from '../broker/delegate.ts'
import { findTask } from '../broker/read.ts'
import { intentSchema } from '../intent/item-schema.ts'
import { plainText } from '../model/text.ts'
import { byId, json, refusals } from './answers.ts'
import { BODY_REFUSALS, body, jsonBody } from './body.ts'
import type { App, Parts } from './env.ts'
import { BY_TASK } from './security.ts'
import { delegatedAnswer, delegationWire } from './wire/delegation.ts'
import { revealToken } from './wire/reveal.ts'

const MAX_PURPOSE = 1_000
const MAX_SECONDS = 31_536_000

const delegateBody = z
  .strictObject({
    agent: plainText(128).openapi({ description: 'Who is to do it: an agent of the same tenant.' }),
    intent: intentSchema,
    ttl_seconds: z.int().min(1).max(MAX_SECONDS).optional().openapi({
      description: 'How long the executor’s task may last. Never past the own task’s deadline.',
    }),
    purpose: plainText(MAX_PURPOSE).optional(),
  })
  .openapi('Delegate', {
    example: {
      agent: 'ticket-reader',
      purpose: 'read what ticket 4711 says',
      intent: [
        {
          type: 'aws',
          identifier: 'tickets-read',
          actions: ['s3:GetObject'],
          locations: ['arn:aws:s3:::tickets/4711/mail.txt'],
        },
      ],
    },
  })

/** `POST /v1/tasks/{id}/delegations`: pass a part of a task's work on to another agent. */
export function delegationRoutes(app: App, { broker, guards }: Parts): void {
  const create = createRoute({
    method: 'post',
    path: '/v1/tasks/{id}/delegations',
    tags: ['tasks'],
    summary: 'Delegate a part of the task to another agent',
    description:
      'Each item of the intent must be within one item of the task’s own. With the token the other agent, showing its own identity, opens one task below this one.',
    security: BY_TASK,
    middleware: [guards.task, jsonBody] as const,
    request: { params: byId, body: body(delegateBody) },
    responses: {
      201: json(delegatedAnswer, 'The delegation and, once, its token.'),
      ...refusals(
        ...BODY_REFUSALS,
        'invalid_intent',
        'unauthenticated',
        'forbidden',
        'intent_exceeded',
        'policy_denied',
        'blocked',
        'not_found',
        'task_ended',
        'limit_reached',
      ),
    },
  })
  app.openapi(create, async (c) => {
    const { id } = c.req.valid('param')
    const { agent, intent, ttl_seconds, purpose } = c.req.valid('json')
    const task = await findTask(broker, c.var.caller, { id, act: 'readLeases' })
    const request = { agent, intent, ttlSeconds: ttl_seconds, purpose }
    const { delegation, token } = await delegate(broker, task, request)
    return c.json({ delegation: delegationWire(delegation), token: revealToken(token) }, 201)
  })
}
