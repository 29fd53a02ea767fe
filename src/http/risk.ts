import { createRoute, z } from '@hono/zod-openapi'
import { listRisk } from '../broker/read-trouble.ts'
import { json, refusals } from './answers.ts'
import type { App, Parts } from './env.ts'
import { BY_TIME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { riskAnswer, riskWire } from './wire/trouble.ts'

/** `/v1/risk`: who is believed to be in trouble now, and on whose word. */
export function riskRoutes(app: App, { broker, guards }: Parts): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/risk',
    tags: ['signals'],
    summary: 'Unexpired signals that set a risk, newest first',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { query: z.strictObject(paging) },
    responses: {
      200: json(pageAnswer(riskAnswer), 'A page of risks.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const page = pageOf(c.req.valid('query'), BY_TIME)
    return c.json(pageWire(await listRisk(broker, c.var.caller, page), riskWire), 200)
  })
}
