import { createRoute, z } from '@hono/zod-openapi'
import { issueCredential } from '../broker/issue.ts'
import { findTask } from '../broker/read.ts'
import { endUndelivered } from '../broker/undelivered.ts'
import { intentSchema } from '../intent/item-schema.ts'
import { plainText } from '../model/text.ts'
import { byId, idOf, json, refusals } from './answers.ts'
import { BODY_REFUSALS, body, readBody } from './body.ts'
import { described } from './described.ts'
import type { App, Parts } from './env.ts'
import { idempotencyHeaders, idempotencyKeyOf } from './idempotency-key.ts'
import { BY_TASK } from './security.ts'
import { approvalWire, awaitsApprovalAnswer } from './wire/approval.ts'
import { issuedAnswer, leaseWire } from './wire/lease.ts'
import { revealCredential } from './wire/reveal.ts'

const MAX_SECONDS = 31_536_000

const credentialBody = z
  .strictObject({
    entitlement: plainText(128),
    intent: intentSchema.optional().openapi({
      description: 'Within what the task said; absent: all it said of this entitlement.',
    }),
    ttl_seconds: z.int().min(1).max(MAX_SECONDS).optional().openapi({
      description: 'Absent: the entitlement’s default. The answer says `expires_at`.',
    }),
  })
  .openapi('RequestCredential', { example: { entitlement: 'tickets-read' } })

/** `POST /v1/tasks/{id}/credentials`: the one answer that carries a new secret. */
export function credentialRoutes(app: App, { broker, guards }: Parts): void {
  const issue = createRoute({
    method: 'post',
    path: '/v1/tasks/{id}/credentials',
    tags: ['credentials'],
    summary: 'Ask for a credential within the task',
    description:
      'Within the task and the entitlement, as far as the policies permit: all that was asked for or a refusal. The secret is in this answer alone. With an `Idempotency-Key` there is one live lease at most: a retry ends the first and gets another.',
    security: BY_TASK,
    request: { params: byId, headers: idempotencyHeaders, body: body(credentialBody) },
    responses: {
      201: json(issuedAnswer, 'The lease and, once, its secret.'),
      202: json(
        awaitsApprovalAnswer,
        'Somebody has to say yes first: wait for the approval, then repeat the identical request.',
      ),
      ...refusals(
        ...BODY_REFUSALS,
        'invalid_intent',
        'unauthenticated',
        'forbidden',
        'intent_exceeded',
        'policy_denied',
        'blocked',
        'not_found',
        'in_flight',
        'task_ended',
        'lease_ended',
        'idempotency_mismatch',
        'limit_reached',
        'upstream_refused',
        'not_revocable_now',
        'upstream_unavailable',
      ),
    },
  })
  described(app, { route: issue, guard: guards.task }, async (c) => {
    const { entitlement, intent, ttl_seconds } = await readBody(c, credentialBody)
    const idempotencyKey = idempotencyKeyOf(c)
    const id = idOf(c)
    const task = await findTask(broker, c.get('caller'), { id, act: 'readLeases' })
    const provider = broker.world().entitlements.get(entitlement)?.provider
    if (provider !== undefined) c.set('upstream', provider)
    const issued = await issueCredential(broker, task, {
      entitlement,
      intent,
      ttlSeconds: ttl_seconds,
      idempotencyKey,
    })
    if ('approval' in issued) {
      return c.json({ approval: approvalWire(issued.approval, 'task') }, 202)
    }
    if (c.req.raw.signal.aborted) throw await endUndelivered(broker, issued.lease)
    return c.json({ lease: leaseWire(issued.lease), credential: revealCredential(issued) }, 201)
  })
}
