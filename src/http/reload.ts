import { createRoute, z } from '@hono/zod-openapi'
import { assertMay } from '../broker/operator.ts'
import { json, refusals } from './answers.ts'
import { BODY_REFUSALS, jsonBody, optionalBody } from './body.ts'
import type { App, Parts } from './env.ts'
import { reloadAnswer } from './wire/configured.ts'

const reloadBody = z.strictObject({
  confirm: z.string().min(1).max(128).optional().openapi({
    description: 'What an earlier answer asked to confirm.',
  }),
})

/** `POST /v1/reload`: the configuration anew, or what it would change and end (P16). */
export function reloadRoutes(app: App, { broker, guards, reload }: Parts): void {
  const route = createRoute({
    method: 'post',
    path: '/v1/reload',
    tags: ['configured'],
    summary: 'Read the configuration again',
    description:
      'With a mistake in it nothing changes, and all mistakes are named. A reload that would end more than `limits.reload_max_ended` leases changes nothing either and says what to send as `confirm`.',
    security: [{ operator: [] }],
    middleware: [guards.operator, jsonBody] as const,
    request: { body: optionalBody(reloadBody) },
    responses: {
      200: json(reloadAnswer, 'What changed, or what waits for confirmation.'),
      ...refusals(...BODY_REFUSALS, 'unauthenticated', 'forbidden', 'config_invalid'),
    },
  })
  app.openapi(route, async (c) => {
    const { operator, actor } = c.var.caller
    assertMay(broker, operator, 'administer')
    const { confirm } = c.req.valid('json')
    return c.json(await reload({ actor, ...(confirm === undefined ? {} : { confirm }) }), 200)
  })
}
