import { createRoute, z } from '@hono/zod-openapi'
import { withheld } from '../broker/withheld.ts'
import { MayflyError } from '../errors.ts'
import { json, refusals } from './answers.ts'
import type { App, Parts } from './env.ts'

const RETRY_SECONDS = 5

const readyAnswer = z.strictObject({
  status: z.literal('ready'),
  withheld: z.string().optional().openapi({
    description: 'Why nothing is opened or issued at present; everything else works.',
  }),
})

/** For orchestrators and Prometheus; open to all, so they say nothing of tenants. */
export function healthRoutes(app: App, { broker, metrics, ready }: Parts): void {
  const tags = ['health']
  const livez = createRoute({
    method: 'get',
    path: '/livez',
    tags,
    summary: 'The process answers',
    description: 'It says nothing of the store or the upstreams: restart it when this fails.',
    security: [],
    responses: { 200: json(z.strictObject({ status: z.literal('ok') }), 'It does.') },
  })
  app.openapi(livez, (c) => c.json({ status: 'ok' } as const, 200))

  const readyz = createRoute({
    method: 'get',
    path: '/readyz',
    tags,
    summary: 'The broker can take requests',
    description:
      'Its store takes commits. An upstream in trouble does not count, because the others still work; `withheld` is why nothing is issued although the broker is ready.',
    security: [],
    responses: {
      200: json(readyAnswer, 'It can.'),
      ...refusals('unavailable'),
    },
  })
  app.openapi(readyz, async (c) => {
    const problems = await ready()
    if (problems.length === 0) {
      // Ready all the same: ends, kills and heartbeats need a broker that can be reached.
      const why = withheld(broker)
      return c.json({ status: 'ready', ...(why && { withheld: why.message }) } as const, 200)
    }
    throw new MayflyError('unavailable', 'not ready', {
      problems: problems.map((message) => ({ path: '', message })),
      retryAfterSeconds: RETRY_SECONDS,
    })
  })

  const scrape = createRoute({
    method: 'get',
    path: '/metrics',
    tags,
    summary: 'Prometheus metrics',
    description: 'Labels are routes, codes and configured names, never ids of tasks or leases.',
    security: [],
    responses: {
      200: {
        description: 'The text format of Prometheus.',
        content: { 'text/plain': { schema: z.string() } },
      },
      ...refusals(),
    },
  })
  app.openapi(scrape, async (c) => {
    const text = await metrics.registry.metrics()
    return c.text(text, 200, { 'content-type': metrics.registry.contentType })
  })
}
