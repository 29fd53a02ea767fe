import { createRoute, z } from '@hono/zod-openapi'
import { assertMay } from '../broker/operator.ts'
import { reconcileAll } from '../broker/reconcile.ts'
import { json, refusals } from './answers.ts'
import { BODY_REFUSALS, jsonBody, optionalBody } from './body.ts'
import type { App, Parts } from './env.ts'
import { reconciliationAnswer, reconciliationWire } from './wire/drift.ts'

const reconcileBody = z
  .strictObject({
    provider: z.string().min(1).max(128).optional().openapi({ description: 'Absent: every one.' }),
    dry_run: z.boolean().default(false),
  })
  .openapi('Reconcile')

/** `POST /v1/reconcile`: what upstreams hold against what is known here. */
export function reconcileRoutes(app: App, { broker, guards }: Parts): void {
  const route = createRoute({
    method: 'post',
    path: '/v1/reconcile',
    tags: ['endings'],
    summary: 'Compare upstreams with the store, and repair what is safe to repair',
    description:
      'What was refused and works again is ended again, slots that are off and surely dead are switched on. Nothing upstream is removed because it is not known here. Waits for the upstreams, up to two minutes.',
    security: [{ operator: [] }],
    middleware: [guards.operator, jsonBody] as const,
    request: { body: optionalBody(reconcileBody) },
    responses: {
      200: json(z.strictObject({ items: z.array(reconciliationAnswer) }), 'By provider.'),
      ...refusals(...BODY_REFUSALS, 'unauthenticated', 'forbidden', 'not_found'),
    },
  })
  app.openapi(route, async (c) => {
    const { operator, actor } = c.var.caller
    assertMay(broker, operator, 'administer')
    const { provider, dry_run } = c.req.valid('json')
    const repair = dry_run ? 'nothing' : 'everything'
    const seen = await reconcileAll(broker, provider, { repair, actor })
    return c.json({ items: seen.map(reconciliationWire) }, 200)
  })
}
