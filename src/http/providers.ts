import { createRoute, z } from '@hono/zod-openapi'
import { listProviders } from '../broker/read-world.ts'
import { json, refusals } from './answers.ts'
import type { App, Parts } from './env.ts'
import { BY_NAME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { providerAnswer, providerWire } from './wire/configured.ts'

/** `/v1/providers`: where credentials come from, and whether each answers. */
export function providerRoutes(app: App, { broker, guards }: Parts): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/providers',
    tags: ['configured'],
    summary: 'Providers in the order of the configuration, and how each fares',
    description:
      'An open circuit says that a provider failed five times in a row in that direction: nothing is minted there meanwhile, while ends and kills are tried all the same. An operator of some tenants sees the providers of their entitlements, and not the `problem`, which may name what is of others.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { query: z.strictObject(paging) },
    responses: {
      200: json(pageAnswer(providerAnswer), 'A page of providers.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const page = pageOf(c.req.valid('query'), BY_NAME)
    return c.json(pageWire(await listProviders(broker, c.var.caller, page), providerWire), 200)
  })
}
