import { createRoute, z } from '@hono/zod-openapi'
import { findLease, listLeases } from '../broker/read.ts'
import { renewLease } from '../broker/renew.ts'
import { endLease } from '../broker/task-life.ts'
import { byId, idOf, json, refusals } from './answers.ts'
import { BODY_REFUSALS, optionalBody, readBody } from './body.ts'
import { described } from './described.ts'
import type { App, Parts } from './env.ts'
import { BY_TIME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { BY_TASK } from './security.ts'
import { known } from './wire/known.ts'
import { leaseAnswer, leaseWire, renewedAnswer } from './wire/lease.ts'
import { revealCredential } from './wire/reveal.ts'

const nothing = z.strictObject({})
const tags = ['leases']

/** `/v1/leases`: look, renew and end. */
export function leaseRoutes(app: App, parts: Parts): void {
  listRoute(app, parts)
  showRoute(app, parts)
  renewRoute(app, parts)
  endRoute(app, parts)
}

function listRoute(app: App, { broker, guards }: Parts): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/leases',
    tags,
    summary: 'Leases, newest first',
    description:
      'Those of the operator’s tenants. `containment` says how far the end of one is known to have come, `exposed_until` until when it could still work at the latest.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: {
      query: z.strictObject({
        ...paging,
        state: z
          .enum(['reserved', 'active', 'ending', 'ended', 'failed', 'live'])
          .optional()
          .openapi({ description: '`live`: reserved, active or ending.' }),
        agent: z.string().optional(),
        task: z.string().optional(),
        tenant: z.string().optional(),
        entitlement: z.string().optional(),
        provider: z.string().optional(),
      }),
    },
    responses: {
      200: json(pageAnswer(leaseAnswer), 'A page of leases.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const { limit, cursor, ...filter } = c.req.valid('query')
    const page = pageOf({ limit, cursor }, BY_TIME)
    return c.json(
      pageWire(
        await listLeases(broker, c.get('caller'), { filter: known(filter), page }),
        leaseWire,
      ),
      200,
    )
  })
}

function showRoute(app: App, { broker, guards }: Parts): void {
  const show = createRoute({
    method: 'get',
    path: '/v1/leases/{id}',
    tags,
    summary: 'One lease',
    description: 'By the token of its task while that is open, or by an operator of its tenant.',
    security: [...BY_TASK, { operator: [] }],
    middleware: guards.either,
    request: { params: byId },
    responses: {
      200: json(leaseAnswer, 'The lease.'),
      ...refusals('unauthenticated', 'forbidden', 'not_found', 'task_ended', 'limit_reached'),
    },
  })
  app.openapi(show, async (c) => {
    const { id } = c.req.valid('param')
    return c.json(
      leaseWire(await findLease(broker, c.get('caller'), { id, act: 'readLeases' })),
      200,
    )
  })
}

function renewRoute(app: App, { broker, guards }: Parts): void {
  const renew = createRoute({
    method: 'post',
    path: '/v1/leases/{id}/renew',
    tags,
    summary: 'Prolong a lease, under the policies of now',
    description:
      'Decided anew, never past the deadline of the task. `credential` holds what is new of the secret, once.',
    security: BY_TASK,
    request: { params: byId, body: optionalBody(nothing) },
    responses: {
      200: json(renewedAnswer, 'The lease, its new generation and what is new of its secret.'),
      ...refusals(
        ...BODY_REFUSALS,
        'unauthenticated',
        'forbidden',
        'intent_exceeded',
        'policy_denied',
        'blocked',
        'not_found',
        'in_flight',
        'task_ended',
        'lease_ended',
        'limit_reached',
        'upstream_refused',
        'not_revocable_now',
        'upstream_unavailable',
      ),
    },
  })
  described(app, { route: renew, guard: guards.task }, async (c) => {
    await readBody(c, nothing)
    const id = idOf(c)
    const caller = c.get('caller')
    const lease = await findLease(broker, caller, { id, act: 'readLeases' })
    c.set('upstream', lease.provider)
    const renewed = await renewLease(broker, caller.task, lease)
    const { generation } = renewed.lease
    const credential = revealCredential(renewed)
    return c.json({ lease: leaseWire(renewed.lease), credential, generation }, 200)
  })
}

function endRoute(app: App, { broker, guards }: Parts): void {
  const end = createRoute({
    method: 'post',
    path: '/v1/leases/{id}/end',
    tags,
    summary: 'End a lease; the answer is durable, the upstream follows',
    description:
      'It is tried until the upstream did it or the credential has died by itself. `containment` says how far that is: `pending` (ordered), `enforced` (the upstream accepted it), `proved` (seen refused), `expired`.',
    security: [...BY_TASK, { operator: [] }],
    request: { params: byId, body: optionalBody(nothing) },
    responses: {
      200: json(leaseAnswer, 'The lease as it is now.'),
      ...refusals(
        ...BODY_REFUSALS,
        'unauthenticated',
        'forbidden',
        'not_found',
        'task_ended',
        'limit_reached',
      ),
    },
  })
  described(app, { route: end, guard: guards.either }, async (c) => {
    await readBody(c, nothing)
    const id = idOf(c)
    const caller = c.get('caller')
    const lease = await findLease(broker, caller, { id, act: 'kill' })
    return c.json(leaseWire(await endLease(broker, { lease, by: caller })), 200)
  })
}
