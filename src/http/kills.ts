import { createRoute, z } from '@hono/zod-openapi'
import { kill } from '../broker/kill.ts'
import { killDryRun } from '../broker/kill-dry-run.ts'
import { findKill, listKills } from '../broker/read-trouble.ts'
import { selectorSchema } from '../model/selector.ts'
import { plainText } from '../model/text.ts'
import { byId, json, refusals } from './answers.ts'
import { BODY_REFUSALS, body, jsonBody } from './body.ts'
import type { App, Parts } from './env.ts'
import { BY_TIME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { dryRunWire, killAnswer, killWire } from './wire/kill.ts'

const MAX_BLOCK_SECONDS = 31_536_000

const killBody = z
  .strictObject({
    selector: selectorSchema,
    reason: plainText(),
    block_seconds: z.int().min(0).max(MAX_BLOCK_SECONDS).optional().openapi({
      description:
        'Absent: one lease or task blocks nothing, anything wider until lifted. 0: no block.',
    }),
    dry_run: z.boolean().default(false),
  })
  .openapi('OrderKill')

const answer = z.strictObject({ kill: killAnswer })

/** `/v1/kills`: an order is committed before it is answered (P8); its leases follow at once. */
export function killRoutes(app: App, { broker, guards }: Parts): void {
  const tags = ['kills']
  const order = createRoute({
    method: 'post',
    path: '/v1/kills',
    tags,
    summary: 'End every lease a selector matches, now',
    description:
      'The order and its block are durable when this is answered: its leases follow, and nothing is issued against it any more, not even by a request in flight. It reaches the tenants in which the operator may kill. With `dry_run` it says whom it would hit, what would break and what only runs out.',
    security: [{ operator: [] }],
    middleware: [guards.operator, jsonBody] as const,
    request: { body: body(killBody) },
    responses: {
      200: json(answer, 'A dry run: whom the order would hit, and how far. Nothing was changed.'),
      202: json(answer, 'The order is committed; nothing is issued against it any more.'),
      ...refusals(...BODY_REFUSALS, 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(order, async (c) => {
    const { caller } = c.var
    const { selector, reason, block_seconds, dry_run } = c.req.valid('json')
    if (dry_run) {
      const radius = await killDryRun(broker, caller, selector)
      const now = broker.clock.now()
      return c.json({ kill: dryRunWire({ selector, reason, by: caller.actor, radius, now }) }, 200)
    }
    const ordered = await kill(broker, caller, { selector, reason, blockSeconds: block_seconds })
    return c.json({ kill: killWire(ordered, undefined) }, 202)
  })

  const list = createRoute({
    method: 'get',
    path: '/v1/kills',
    tags,
    summary: 'Kills, newest first, each with how far it has come',
    description:
      'Of operators, signals and the confirmation of a restored database. An operator of some tenants sees those that reach no further; one of every tenant is shown to whoever may read all.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { query: z.strictObject(paging) },
    responses: {
      200: json(pageAnswer(killAnswer), 'A page of kills.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const page = pageOf(c.req.valid('query'), BY_TIME)
    const listing = await listKills(broker, c.var.caller, page)
    return c.json(
      pageWire(listing, ({ kill: one, progress }) => killWire(one, progress)),
      200,
    )
  })

  const show = createRoute({
    method: 'get',
    path: '/v1/kills/{id}',
    tags,
    summary: 'How far a kill has come',
    description:
      'Counts of its leases by containment: `pending` and `unknown` wait for their upstream, `enforced` are refused by its word, `proved` were seen refused, `expired` died by themselves. To an operator of some tenants a kill that reaches further is unknown.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { params: byId },
    responses: {
      200: json(killAnswer, 'The kill with its progress.'),
      ...refusals('unauthenticated', 'forbidden', 'not_found'),
    },
  })
  app.openapi(show, async (c) => {
    const found = await findKill(broker, c.var.caller, c.req.valid('param').id)
    return c.json(killWire(found.kill, found.progress), 200)
  })
}
