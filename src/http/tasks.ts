import { createRoute, z } from '@hono/zod-openapi'
import { openTask } from '../broker/open-task.ts'
import { countChildren, findTask, listTasks } from '../broker/read.ts'
import { endTask, heartbeat } from '../broker/task-life.ts'
import { intentSchema } from '../intent/item-schema.ts'
import { plainText } from '../model/text.ts'
import { byId, idOf, json, refusals } from './answers.ts'
import { BODY_REFUSALS, body, optionalBody, readBody } from './body.ts'
import { described } from './described.ts'
import type { App, Parts } from './env.ts'
import { BY_TIME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { BY_EVIDENCE, BY_TASK } from './security.ts'
import { known } from './wire/known.ts'
import { revealToken } from './wire/reveal.ts'
import {
  heartbeatAnswer,
  heartbeatWire,
  openedTaskAnswer,
  taskAnswer,
  taskWire,
} from './wire/task.ts'

const MAX_PURPOSE = 1_000
const MAX_LABELS = 20
const MAX_SECONDS = 31_536_000

const labels = z
  .record(
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/, 'must be a plain name'),
    plainText(256),
  )
  .refine((map) => Object.keys(map).length <= MAX_LABELS, `must hold at most ${MAX_LABELS} labels`)

const OPEN_TASK_EXAMPLE = {
  purpose: 'summarise ticket 4711',
  ttl_seconds: 900,
  heartbeat_seconds: 30,
  intent: [
    {
      type: 'aws',
      identifier: 'tickets-read',
      actions: ['s3:GetObject'],
      locations: ['arn:aws:s3:::tickets/4711/*'],
    },
  ],
}

const openTaskBody = z
  .strictObject({
    purpose: plainText(MAX_PURPOSE),
    intent: intentSchema,
    ttl_seconds: z.int().min(1).max(MAX_SECONDS).optional().openapi({
      description: 'Absent: an hour. Never past limits.task_max_ttl: the answer says `deadline`.',
    }),
    heartbeat_seconds: z
      .int()
      .min(1)
      .max(86_400)
      .optional()
      .openapi({ description: 'Two missed beats end the task. Absent: silence does not.' }),
    labels: labels.default({}),
    delegation: z
      .string()
      .regex(/^mfd_[\w-]{43}$/, 'must be the token of a delegation, mfd_…')
      .optional()
      .openapi({
        description: 'Made for this agent: the task opens below the one that delegated.',
      }),
  })
  .openapi('OpenTask', { example: OPEN_TASK_EXAMPLE })

const nothing = z.strictObject({})
const outcomeBody = z.strictObject({
  outcome: z.enum(['completed', 'failed', 'cancelled']).optional(),
})

const tags = ['tasks']

/** `/v1/tasks`: open with evidence; beat, look and end with the task's token. */
export function taskRoutes(app: App, parts: Parts): void {
  openRoute(app, parts)
  listRoute(app, parts)
  showRoute(app, parts)
  beatRoute(app, parts)
  endRoute(app, parts)
}

function openRoute(app: App, { broker, guards }: Parts): void {
  const open = createRoute({
    method: 'post',
    path: '/v1/tasks',
    tags,
    summary: 'Open a task with workload evidence',
    description:
      'Evidence is the workload’s own token, or the certificate of its connection. With a DPoP proof or a certificate the task is bound to that key. Each item of the intent must lie within the ceiling of the entitlement it names. The token is in this answer alone.',
    security: BY_EVIDENCE,
    request: { body: body(openTaskBody) },
    responses: {
      201: json(openedTaskAnswer, 'The open task and its token.'),
      ...refusals(
        ...BODY_REFUSALS,
        'invalid_intent',
        'unauthenticated',
        'agent_unknown',
        'proof_too_weak',
        'intent_exceeded',
        'policy_denied',
        'blocked',
        'not_found',
        'limit_reached',
      ),
    },
  })
  described(app, { route: open, guard: guards.workload }, async (c) => {
    const { purpose, intent, ttl_seconds, heartbeat_seconds, labels, delegation } = await readBody(
      c,
      openTaskBody,
    )
    const { task, token } = await openTask(broker, c.get('evidence'), {
      purpose,
      intent,
      ttlSeconds: ttl_seconds,
      heartbeatSeconds: heartbeat_seconds,
      labels,
      delegation,
    })
    return c.json({ task: taskWire(task), token: revealToken(token) }, 201)
  })
}

function listRoute(app: App, { broker, guards }: Parts): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/tasks',
    tags,
    summary: 'Tasks, newest first',
    description: 'Those of the operator’s tenants.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: {
      query: z.strictObject({
        ...paging,
        state: z.enum(['open', 'ended']).optional(),
        agent: z.string().optional(),
        tenant: z.string().optional(),
        parent: z.string().optional().openapi({ description: 'What this task delegated to.' }),
        tree: z.string().optional().openapi({ description: 'This task and everything below it.' }),
      }),
    },
    responses: {
      200: json(pageAnswer(taskAnswer), 'A page of tasks.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const { limit, cursor, ...filter } = c.req.valid('query')
    const page = pageOf({ limit, cursor }, BY_TIME)
    return c.json(
      pageWire(await listTasks(broker, c.get('caller'), { filter: known(filter), page }), taskWire),
      200,
    )
  })
}

function showRoute(app: App, { broker, guards }: Parts): void {
  const show = createRoute({
    method: 'get',
    path: '/v1/tasks/{id}',
    tags,
    summary: 'One task',
    description:
      'By its own token while it is open, or by an operator of its tenant. `children` counts the tasks it delegated to.',
    security: [...BY_TASK, { operator: [] }],
    middleware: guards.either,
    request: { params: byId },
    responses: {
      200: json(taskAnswer, 'The task.'),
      ...refusals('unauthenticated', 'forbidden', 'not_found', 'task_ended', 'limit_reached'),
    },
  })
  app.openapi(show, async (c) => {
    const { id } = c.req.valid('param')
    const task = await findTask(broker, c.get('caller'), { id, act: 'readLeases' })
    const children = await countChildren(broker, task)
    return c.json({ ...taskWire(task), children }, 200)
  })
}

function beatRoute(app: App, { broker, guards }: Parts): void {
  const beat = createRoute({
    method: 'post',
    path: '/v1/tasks/{id}/heartbeat',
    tags,
    summary: 'A sign of life; answers which leases ended since the one before',
    description:
      'For tasks with `heartbeat_seconds`: two missed beats end the task. A beat never moves the deadline.',
    security: BY_TASK,
    request: { params: byId, body: optionalBody(nothing) },
    responses: {
      200: json(heartbeatAnswer, 'The task and what ended.'),
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
  described(app, { route: beat, guard: guards.task }, async (c) => {
    await readBody(c, nothing)
    const id = idOf(c)
    const task = await findTask(broker, c.get('caller'), { id, act: 'readLeases' })
    return c.json(heartbeatWire(await heartbeat(broker, task)), 200)
  })
}

function endRoute(app: App, { broker, guards }: Parts): void {
  const end = createRoute({
    method: 'post',
    path: '/v1/tasks/{id}/end',
    tags,
    summary: 'End a task, what it delegated, and all their leases',
    description:
      'Committed when it is answered; the upstreams follow. By its own token, or by an operator who may kill in its tenant.',
    security: [...BY_TASK, { operator: [] }],
    request: { params: byId, body: optionalBody(outcomeBody) },
    responses: {
      200: json(taskAnswer, 'The ended task.'),
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
    const { outcome = null } = await readBody(c, outcomeBody)
    const id = idOf(c)
    const task = await findTask(broker, c.get('caller'), { id, act: 'kill' })
    return c.json(taskWire(await endTask(broker, { task, outcome, by: c.get('caller') })), 200)
  })
}
