import { createRoute, z } from '@hono/zod-openapi'
import { listAgents } from '../broker/read-world.ts'
import { json, refusals } from './answers.ts'
import type { App, Parts } from './env.ts'
import { BY_NAME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { agentAnswer, agentWire } from './wire/configured.ts'

/** `/v1/agents`: who is configured, and how each stands now. */
export function agentRoutes(app: App, { broker, guards }: Parts): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/agents',
    tags: ['configured'],
    summary: 'Agents in the order of the configuration',
    description:
      'Those of the operator’s tenants, each with its open tasks, its live leases, its risk and whether it is blocked.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { query: z.strictObject(paging) },
    responses: {
      200: json(pageAnswer(agentAnswer), 'A page of agents.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const page = pageOf(c.req.valid('query'), BY_NAME)
    return c.json(pageWire(await listAgents(broker, c.var.caller, page), agentWire), 200)
  })
}
