import { createRoute, z } from '@hono/zod-openapi'
import { listEntitlements } from '../broker/read-world.ts'
import { json, refusals } from './answers.ts'
import type { App, Parts } from './env.ts'
import { BY_NAME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { entitlementAnswer, entitlementWire } from './wire/configured.ts'

/** `/v1/entitlements`: what can be asked for at all, and how much of it is out now. */
export function entitlementRoutes(app: App, { broker, guards }: Parts): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/entitlements',
    tags: ['configured'],
    summary: 'Entitlements in the order of the configuration',
    description:
      'Those of the operator’s tenants, each with its ceiling, how soon an early end takes effect there (`revocability`) and how many leases are out.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { query: z.strictObject(paging) },
    responses: {
      200: json(pageAnswer(entitlementAnswer), 'A page of entitlements.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const page = pageOf(c.req.valid('query'), BY_NAME)
    return c.json(
      pageWire(await listEntitlements(broker, c.var.caller, page), entitlementWire),
      200,
    )
  })
}
