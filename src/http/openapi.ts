import { createRoute, z } from '@hono/zod-openapi'
import type { JSONValue } from 'hono/utils/types'
import { json, refusals } from './answers.ts'
import type { App, Parts } from './env.ts'
import { SCHEMES } from './security.ts'

/** `/openapi.json`: every route of this application, from the schemas that check it. */
export function documentRoutes(app: App, { broker }: Parts): void {
  for (const [name, scheme] of Object.entries(SCHEMES)) {
    app.openAPIRegistry.registerComponent('securitySchemes', name, scheme)
  }
  const route = createRoute({
    method: 'get',
    path: '/openapi.json',
    tags: ['health'],
    summary: 'This description',
    description: 'Made from the schemas that check what comes in.',
    security: [],
    responses: {
      200: json(z.record(z.string(), z.unknown()), 'An OpenAPI 3.1 document.'),
      ...refusals(),
    },
  })
  let document: Record<string, JSONValue> | undefined
  app.openapi(route, (c) => {
    // Where the broker is reached changes only with a restart.
    const servers = [{ url: broker.world().config.server.publicUrl }]
    document ??= JSON.parse(JSON.stringify(app.getOpenAPI31Document({ ...ABOUT, servers })))
    return c.json(document ?? {}, 200)
  })
}

const ABOUT = {
  openapi: '3.1.0',
  info: {
    title: 'Mayfly',
    version: '1',
    description:
      'Just-in-time credentials for the tasks of AI agents. A workload opens a task with its own evidence; the task’s token asks for credentials, beats and ends it; operators look and contain. Unknown fields are refused. Every refusal is a Problem with a closed `code`; a foreign id is answered like an unknown one. Times are RFC 3339 in UTC.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
}
