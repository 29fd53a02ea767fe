import { createRoute, z } from '@hono/zod-openapi'
import { simulate } from '../broker/simulate.ts'
import { MayflyError } from '../errors.ts'
import { agentDescription } from '../policy/described.ts'
import { json, refusals } from './answers.ts'
import { BODY_REFUSALS, body, jsonBody } from './body.ts'
import type { App, Parts } from './env.ts'
import { simulationAnswer, simulationWire } from './wire/explanation.ts'

const simulation = z
  .strictObject({
    policies: z
      .array(z.strictObject({ name: z.string().min(1).max(128), text: z.string() }))
      .max(100)
      .optional()
      .openapi({ description: 'Cedar files to decide by; absent: the policies in force.' }),
    request: agentDescription.optional().openapi({
      description: 'What is asked, as in files of expected decisions.',
    }),
    decision: z.string().optional().openapi({ description: 'Ask again what this one was asked.' }),
  })
  .openapi('Simulate')

/** `/v1/policies`: what policies would say; nothing here has an effect. */
export function policyRoutes(app: App, { broker, guards }: Parts): void {
  const route = createRoute({
    method: 'post',
    path: '/v1/policies/simulate',
    tags: ['policies'],
    summary: 'What policies would say to a described request or a stored decision',
    description:
      'The policies are those sent along, or those in force. Nothing is decided, issued or changed.',
    security: [{ operator: [] }],
    middleware: [guards.operator, jsonBody] as const,
    request: { body: body(simulation) },
    responses: {
      200: json(simulationAnswer, 'What they say. Nothing was decided, issued or changed.'),
      ...refusals(...BODY_REFUSALS, 'unauthenticated', 'forbidden', 'not_found', 'limit_reached'),
    },
  })
  app.openapi(route, async (c) => {
    const { policies, request, decision } = c.req.valid('json')
    const about = aboutOf({ request, decision })
    return c.json(simulationWire(await simulate(broker, c.var.caller, { policies, about })), 200)
  })
}

type Asked = Pick<z.infer<typeof simulation>, 'request' | 'decision'>

function aboutOf({ request, decision }: Asked) {
  if (request !== undefined && decision === undefined) return { request }
  if (decision !== undefined && request === undefined) return { decision }
  const message = 'needs either request or decision'
  throw new MayflyError('invalid_request', `a simulation ${message}`, {
    problems: [{ path: '', message }],
  })
}
