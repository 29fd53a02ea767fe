import { createRoute } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { authenticate } from '../broker/authenticate.ts'
import { keysHeld } from '../broker/possession.ts'
import { resourceServer } from '../broker/resource-server.ts'
import { type Revoker, revokeToken } from '../broker/revoke-token.ts'
import { MayflyError } from '../errors.ts'
import { clientSecret, showsClientSecret } from './client-secret.ts'
import type { App, Parts } from './env.ts'
import { formBody } from './form.ts'
import { oauthRefusals } from './oauth-error.ts'
import { tokenForm } from './oauth-introspect.ts'
import { BY_TASK } from './security.ts'

/** `POST /oauth2/revoke` (RFC 7009): ends a token's lease, if it is the caller's to end. */
export function revokeRoute(app: App, parts: Parts): void {
  const { broker } = parts
  const revocation = createRoute({
    method: 'post',
    path: '/oauth2/revoke',
    tags: ['oauth'],
    summary: 'End an access token (RFC 7009)',
    description:
      'For its task by the task’s token, for whoever holds the key it is bound to by a proof of that key alone, and for the resource server it is meant for. For everyone and everything else the answer is the same, and nothing happens.',
    security: [...BY_TASK, { resourceServer: [] }],
    responses: {
      200: { description: 'The token counts no more, if it was the caller’s to end.' },
      ...oauthRefusals(401),
    },
  })
  app.openAPIRegistry.registerPath({ ...revocation, request: { body: tokenForm } })
  app.openapi({ ...revocation, hide: true }, async (c) => {
    const form = await formBody(c)
    const token = form.required('token')
    await revokeToken(broker, await revokerOf(c, parts, token), token)
    return c.body(null, 200)
  })
}

async function revokerOf(c: Context, { broker, guards }: Parts, token: string): Promise<Revoker> {
  if (showsClientSecret(c)) {
    return { kind: 'resource-server', server: resourceServer(broker, clientSecret(c)) }
  }
  if (c.req.header('authorization') !== undefined) {
    const caller = await authenticate(broker, guards.shownBy(c))
    if (caller.kind === 'task') return { kind: 'task', task: caller.task }
    throw unauthenticated('operators end leases and kill, they hold no tokens')
  }
  const { keys } = await keysHeld(broker, guards.shownInBody(c, token), token)
  if (keys.length > 0) return { kind: 'keys', keys }
  throw unauthenticated('send the task’s token, the DPoP proof of the token’s key, or a secret')
}

function unauthenticated(message: string): MayflyError {
  return new MayflyError('unauthenticated', message)
}
