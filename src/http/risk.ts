import { createRoute, z } from '@hono/zod-openapi'
import { clearRisk } from '../broker/clear-risk.ts'
import { listRisk } from '../broker/read-trouble.ts'
import { plainText } from '../model/text.ts'
import { json, refusals } from './answers.ts'
import { BODY_REFUSALS, body, jsonBody } from './body.ts'
import type { App, Parts } from './env.ts'
import { BY_TIME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { riskAnswer, riskWire } from './wire/trouble.ts'

const clearBody = z
  .strictObject({
    signals: z
      .array(z.string())
      .min(1)
      .max(100)
      .openapi({ description: 'As `GET /v1/risk` lists them.' }),
    reason: plainText(),
  })
  .openapi('ClearRisk')

/** `/v1/risk`: who is believed to be in trouble now, on whose word, and the way back. */
export function riskRoutes(app: App, { broker, guards }: Parts): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/risk',
    tags: ['signals'],
    summary: 'Unexpired signals that set a risk, newest first',
    description:
      'Those about the operator’s tenants. The highest counts; without any it is LOW. A stored signal that cannot be read any more counts as HIGH.',
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

  const clear = createRoute({
    method: 'post',
    path: '/v1/risk/clear',
    tags: ['signals'],
    summary: 'Take back what signals say of risk: a false alarm, or trouble that is over',
    description:
      'All of them or none, for whoever may lift blocks. What they ended stays ended, blocks that came with them stand until they are lifted.',
    security: [{ operator: [] }],
    middleware: [guards.operator, jsonBody] as const,
    request: { body: body(clearBody) },
    responses: {
      200: json(
        z.strictObject({ cleared: z.array(riskAnswer) }),
        'Cleared, all of them. Blocks stay until lifted; what has ended stays ended.',
      ),
      ...refusals(...BODY_REFUSALS, 'unauthenticated', 'forbidden', 'not_found'),
    },
  })
  app.openapi(clear, async (c) => {
    const cleared = await clearRisk(broker, c.var.caller, c.req.valid('json'))
    return c.json({ cleared: cleared.map(riskWire) }, 200)
  })
}
