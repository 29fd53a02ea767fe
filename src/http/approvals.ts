import { createRoute, z } from '@hono/zod-openapi'
import { streamSSE } from 'hono/streaming'
import { awaitApproval, findApproval, followApproval, listApprovals } from '../broker/approvals.ts'
import { denyApproval, grantApproval } from '../broker/decide-approval.ts'
import { APPROVAL_STATES } from '../model/approval.ts'
import { plainText } from '../model/text.ts'
import { byId, json, refusals } from './answers.ts'
import { BODY_REFUSALS, body, jsonBody, optionalBody } from './body.ts'
import type { App, Parts } from './env.ts'
import { BY_TIME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { BY_TASK } from './security.ts'
import { approvalAnswer, approvalWire } from './wire/approval.ts'
import { known } from './wire/known.ts'

/** Shorter than what proxies and clients wait for. */
const MAX_WAIT_SECONDS = 30

const tags = ['approvals']

/** `/v1/approvals`: look, wait, say yes or no. */
export function approvalRoutes(app: App, parts: Parts): void {
  listRoute(app, parts)
  showRoute(app, parts)
  followRoute(app, parts)
  approveRoute(app, parts)
  denyRoute(app, parts)
}

function listRoute(app: App, { broker, guards }: Parts): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/approvals',
    tags,
    summary: 'Approvals, newest first',
    description:
      'Requests that the policies permit only with a person’s yes. Those of the operator’s tenants.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: {
      query: z.strictObject({
        ...paging,
        state: z.enum(APPROVAL_STATES).optional(),
        agent: z.string().optional(),
        task: z.string().optional(),
        tenant: z.string().optional(),
      }),
    },
    responses: {
      200: json(pageAnswer(approvalAnswer), 'A page of approvals.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const { limit, cursor, ...filter } = c.req.valid('query')
    const page = pageOf({ limit, cursor }, BY_TIME)
    const listing = await listApprovals(broker, c.var.caller, { filter: known(filter), page })
    return c.json(
      pageWire(listing, (one) => approvalWire(one, 'operator')),
      200,
    )
  })
}

function showRoute(app: App, { broker, guards }: Parts): void {
  const show = createRoute({
    method: 'get',
    path: '/v1/approvals/{id}',
    tags,
    summary: 'One approval; waits a while for its decision, if asked to',
    description:
      'By the token of the task that asked, or by an operator, who also sees `review`: the agent’s own words, the risk and the policies.',
    security: [...BY_TASK, { operator: [] }],
    middleware: guards.either,
    request: {
      params: byId,
      query: z.strictObject({
        wait_seconds: z.coerce.number().int().min(0).max(MAX_WAIT_SECONDS).default(0).openapi({
          description: 'While it is pending: answer when that changes, or after so long.',
        }),
      }),
    },
    responses: {
      200: json(approvalAnswer, 'The approval.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden', 'not_found', 'task_ended'),
    },
  })
  app.openapi(show, async (c) => {
    const { caller } = c.var
    const { id } = c.req.valid('param')
    const { wait_seconds: seconds } = c.req.valid('query')
    const { signal } = c.req.raw
    const approval = await awaitApproval(broker, caller, { id, seconds, signal })
    return c.json(approvalWire(approval, caller.kind), 200)
  })
}

function followRoute(app: App, { broker, guards }: Parts): void {
  const follow = createRoute({
    method: 'get',
    path: '/v1/approvals/{id}/events',
    tags,
    summary: 'The approval now and at its decision, as server-sent events; then the stream ends',
    description:
      'For agents that would rather listen than ask again. Once it is granted the agent sends the identical request for a credential.',
    security: [...BY_TASK, { operator: [] }],
    middleware: guards.either,
    request: { params: byId },
    responses: {
      200: {
        description: 'Events named `approval`, whose data is an Approval.',
        content: { 'text/event-stream': { schema: z.string() } },
      },
      ...refusals('unauthenticated', 'forbidden', 'not_found', 'task_ended'),
    },
  })
  app.openapi(follow, async (c) => {
    const { caller } = c.var
    const { id } = c.req.valid('param')
    const approval = await findApproval(broker, caller, { id, act: 'readLeases' })
    const response = streamSSE(c, async (stream) => {
      const gone = new AbortController()
      stream.onAbort(() => gone.abort())
      for await (const one of followApproval(broker, caller, { approval, signal: gone.signal })) {
        if (one === undefined) await stream.write(': still pending\n\n')
        else {
          const data = JSON.stringify(approvalWire(one, caller.kind))
          await stream.writeSSE({ event: 'approval', data })
        }
      }
    })
    // Streams are made with a weaker one.
    response.headers.set('cache-control', 'no-store')
    return response
  })
}

function approveRoute(app: App, { broker, guards }: Parts): void {
  const approve = createRoute({
    method: 'post',
    path: '/v1/approvals/{id}/approve',
    tags,
    summary: 'Say yes to exactly this; the agent repeats its request and gets it, once',
    description:
      'The yes is bound to agent, task, scope, lifetime and policies: whatever of it changes needs another. It runs out unused. Nobody says yes to themselves.',
    security: [{ operator: [] }],
    middleware: [guards.operator, jsonBody] as const,
    request: {
      params: byId,
      body: optionalBody(z.strictObject({ reason: plainText().optional() })),
    },
    responses: {
      200: json(approvalAnswer, 'The granted approval.'),
      ...refusals(...BODY_REFUSALS, 'unauthenticated', 'forbidden', 'not_found', 'conflict'),
    },
  })
  app.openapi(approve, async (c) => {
    const { id } = c.req.valid('param')
    const { reason = null } = c.req.valid('json') ?? {}
    const approval = await grantApproval(broker, c.var.caller, { id, reason })
    return c.json(approvalWire(approval, 'operator'), 200)
  })
}

function denyRoute(app: App, { broker, guards }: Parts): void {
  const deny = createRoute({
    method: 'post',
    path: '/v1/approvals/{id}/deny',
    tags,
    summary: 'Say no, also to what was granted and not used yet',
    description: 'The agent may not ask for the same entitlement again for `approvals.cool_down`.',
    security: [{ operator: [] }],
    middleware: [guards.operator, jsonBody] as const,
    request: { params: byId, body: body(z.strictObject({ reason: plainText() })) },
    responses: {
      200: json(approvalAnswer, 'The denied approval.'),
      ...refusals(...BODY_REFUSALS, 'unauthenticated', 'forbidden', 'not_found', 'conflict'),
    },
  })
  app.openapi(deny, async (c) => {
    const { id } = c.req.valid('param')
    const { reason } = c.req.valid('json')
    const approval = await denyApproval(broker, c.var.caller, { id, reason })
    return c.json(approvalWire(approval, 'operator'), 200)
  })
}
