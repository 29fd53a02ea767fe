import { createRoute, z } from '@hono/zod-openapi'
import { introspect } from '../broker/introspect.ts'
import { resourceServer } from '../broker/resource-server.ts'
import { json } from './answers.ts'
import { clientSecret } from './client-secret.ts'
import type { App, Parts } from './env.ts'
import { formBody } from './form.ts'
import { oauthRefusals } from './oauth-error.ts'
import { introspectionAnswer, introspectionWire } from './wire/access-token.ts'

/** `POST /oauth2/introspect` (RFC 7662): a resource server asks what a token is worth, now. */
export function introspectRoute(app: App, { broker }: Parts): void {
  const introspection = createRoute({
    method: 'post',
    path: '/oauth2/introspect',
    tags: ['oauth'],
    summary: 'What an access token is worth, for the resource server it is meant for (RFC 7662)',
    description:
      'Not active alike: unknown, expired, ended with its lease or task, named by a kill, or meant for another resource server.',
    security: [{ resourceServer: [] }],
    responses: {
      200: json(introspectionAnswer, 'Its claims, or that it is not active.'),
      ...oauthRefusals(401),
    },
  })
  app.openAPIRegistry.registerPath({ ...introspection, request: { body: tokenForm } })
  app.openapi({ ...introspection, hide: true }, async (c) => {
    const server = resourceServer(broker, clientSecret(c))
    const form = await formBody(c)
    const token = await introspect(broker, server, form.required('token'))
    return c.json(introspectionWire(token), 200)
  })
}

/** The body of introspection and revocation, for their description: it is parsed by hand. */
export const tokenForm = {
  content: {
    'application/x-www-form-urlencoded': {
      schema: z.strictObject({
        token: z.string(),
        token_type_hint: z.string().optional().openapi({ description: 'Not looked at.' }),
      }),
    },
  },
  required: true,
} as const
