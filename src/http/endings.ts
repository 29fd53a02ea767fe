import { createRoute, z } from '@hono/zod-openapi'
import { listEndings, retryEnding, retryEndings } from '../broker/read-trouble.ts'
import { MayflyError } from '../errors.ts'
import { byId, idOf, json, refusals } from './answers.ts'
import { BODY_REFUSALS, jsonBody, optionalBody, readBody } from './body.ts'
import { described } from './described.ts'
import type { App, Parts } from './env.ts'
import { BY_TIME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { endingAnswer, endingWire } from './wire/lease.ts'

const nothing = z.strictObject({})
const which = z.strictObject({ provider: z.string().optional() }).openapi('RetryEndings')

/** `/v1/endings`: leases on their way out. Whoever may kill may also try again sooner. */
export function endingRoutes(app: App, { broker, guards }: Parts): void {
  const tags = ['endings']
  const list = createRoute({
    method: 'get',
    path: '/v1/endings',
    tags,
    summary: 'Leases that are ending, with what was tried',
    description:
      'Those of the operator’s tenants: in which lane, how often it was tried, when next and what the upstream said. None is given up before it is dead. One without a next try only has to run out.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { query: z.strictObject({ ...paging, provider: z.string().optional() }) },
    responses: {
      200: json(pageAnswer(endingAnswer), 'A page of endings.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const { provider, ...query } = c.req.valid('query')
    const page = pageOf(query, BY_TIME)
    const request = provider === undefined ? { page } : { provider, page }
    const now = broker.clock.now()
    const listing = await listEndings(broker, c.var.caller, request)
    return c.json(
      pageWire(listing, ({ lease }) => endingWire(lease, now)),
      200,
    )
  })

  const retryAll = createRoute({
    method: 'post',
    path: '/v1/endings/retry',
    tags,
    summary: 'Try every ending again now, or those at one provider',
    description:
      'Those of the operator’s tenants. They would be tried by themselves within seconds or minutes.',
    security: [{ operator: [] }],
    request: { body: optionalBody(which) },
    responses: {
      200: json(z.strictObject({ retried: z.int() }), 'How many are due now.'),
      ...refusals(...BODY_REFUSALS, 'unauthenticated', 'forbidden', 'not_found'),
    },
  })
  // Served as a parameter, because Hono's fast router holds no word beside that of `{id}/retry`, and
  // would leave every route of the API to the slow one.
  const words = { ...retryAll, getRoutingPath: () => '/v1/endings/:id' }
  described(app, { route: words, guard: guards.operator }, async (c) => {
    if (idOf(c) !== 'retry') throw new MayflyError('not_found', 'no such path')
    const only = await readBody(c, which)
    return c.json({ retried: await retryEndings(broker, c.get('caller'), only) }, 200)
  })

  const retryOne = createRoute({
    method: 'post',
    path: '/v1/endings/{id}/retry',
    tags,
    summary: 'Try one ending again now',
    description:
      'It would be tried by itself within seconds or minutes. `conflict` where nothing waits to be ended.',
    security: [{ operator: [] }],
    middleware: [guards.operator, jsonBody] as const,
    request: { params: byId, body: optionalBody(nothing) },
    responses: {
      200: json(endingAnswer, 'The ending, due now.'),
      ...refusals(...BODY_REFUSALS, 'unauthenticated', 'forbidden', 'not_found', 'conflict'),
    },
  })
  app.openapi(retryOne, async (c) => {
    const lease = await retryEnding(broker, c.var.caller, c.req.valid('param').id)
    return c.json(endingWire(lease, broker.clock.now()), 200)
  })
}
