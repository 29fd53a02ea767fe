import { createRoute, z } from '@hono/zod-openapi'
import { explainDecision } from '../broker/explain.ts'
import { inputsOfAll } from '../broker/kept-input.ts'
import { type DecisionRecord, findDecision, listDecisions } from '../broker/read.ts'
import { byId, json, refusals } from './answers.ts'
import type { App, Parts } from './env.ts'
import { BY_TIME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { explanationAnswer, explanationWire } from './wire/explanation.ts'
import { known } from './wire/known.ts'
import { decisionAnswer, decisionWire } from './wire/record.ts'

/** `/v1/decisions`: what was decided and why, for operators (P15). */
export function decisionRoutes(app: App, { broker, guards }: Parts): void {
  const tags = ['decisions']
  const list = createRoute({
    method: 'get',
    path: '/v1/decisions',
    tags,
    summary: 'Decisions, newest first',
    description:
      'Those about the operator’s tenants, each with the policies and rails that determined it.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: {
      query: z.strictObject({
        ...paging,
        outcome: z.enum(['permit', 'deny', 'needs-approval']).optional(),
        agent: z.string().optional(),
        task: z.string().optional(),
        since: z.iso.datetime().optional().openapi({ description: 'Only from this instant on.' }),
        shadow_differs: z.enum(['true']).optional().openapi({
          description: 'Only those that shadow policies would have made differently.',
        }),
        inputs: z.enum(['true', 'false']).optional().openapi({
          description: 'Each with what the policies were asked.',
        }),
      }),
    },
    responses: {
      200: json(pageAnswer(decisionAnswer), 'A page of decisions.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const { limit, cursor, since, inputs, shadow_differs, ...rest } = c.req.valid('query')
    const page = pageOf({ limit, cursor }, BY_TIME)
    const filter = known({
      ...rest,
      since: since === undefined ? undefined : Date.parse(since),
      shadowDiffers: shadow_differs === 'true' ? (true as const) : undefined,
    })
    const listing = await listDecisions(broker, c.var.caller, { filter, page })
    const asked = inputs === 'true' ? await inputsOfAll(broker, listing.items) : undefined
    const wire = (one: DecisionRecord) => decisionWire(one, asked?.get(one.id))
    return c.json(pageWire(listing, wire), 200)
  })

  const show = createRoute({
    method: 'get',
    path: '/v1/decisions/{id}',
    tags,
    summary: 'One decision',
    description: 'As it was recorded in the commit of what it was about.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { params: byId },
    responses: {
      200: json(decisionAnswer, 'The decision.'),
      ...refusals('unauthenticated', 'forbidden', 'not_found'),
    },
  })
  app.openapi(show, async (c) => {
    const decision = await findDecision(broker, c.var.caller, c.req.valid('param').id)
    return c.json(decisionWire(decision), 200)
  })

  const explain = createRoute({
    method: 'get',
    path: '/v1/decisions/{id}/explanation',
    tags,
    summary: 'Why it was decided so, and what would have been needed',
    description:
      'With what the policies were asked, their text as it stood then, and what the policies in force say to the same.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { params: byId },
    responses: {
      200: json(explanationAnswer, 'The decision, its input and the policies that determined it.'),
      ...refusals('unauthenticated', 'forbidden', 'not_found'),
    },
  })
  app.openapi(explain, async (c) => {
    const explanation = await explainDecision(broker, c.var.caller, c.req.valid('param').id)
    return c.json(explanationWire(explanation), 200)
  })
}
