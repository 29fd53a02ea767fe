import { createRoute } from '@hono/zod-openapi'
import { findTask } from '../broker/read.ts'
import { requestables } from '../broker/task-life.ts'
import { byId, json, refusals } from './answers.ts'
import type { App, Parts } from './env.ts'
import { pageAnswer, pageWire } from './paging.ts'
import { BY_TASK } from './security.ts'
import { requestableAnswer, requestableWire } from './wire/task.ts'

/** `/v1/tasks/{id}/entitlements`: what a task may ask for. */
export function requestableRoutes(app: App, { broker, guards }: Parts): void {
  const requestable = createRoute({
    method: 'get',
    path: '/v1/tasks/{id}/entitlements',
    tags: ['tasks'],
    summary: 'What the task may ask for',
    description:
      'The entitlements that its intent names. None of them is worth anything until a credential was asked for and issued.',
    security: [...BY_TASK, { operator: [] }],
    middleware: guards.either,
    request: { params: byId },
    responses: {
      200: json(pageAnswer(requestableAnswer), 'Every entitlement that the task named.'),
      ...refusals('unauthenticated', 'forbidden', 'not_found', 'task_ended', 'limit_reached'),
    },
  })
  app.openapi(requestable, async (c) => {
    const { id } = c.req.valid('param')
    const task = await findTask(broker, c.get('caller'), { id, act: 'readLeases' })
    const items = requestables(broker, task)
    return c.json(pageWire({ items, next: undefined }, requestableWire), 200)
  })
}
