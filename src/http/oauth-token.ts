import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Broker } from '../broker/broker.ts'
import { type ExchangedToken, exchangeToken } from '../broker/exchange.ts'
import { endUndelivered, endUndeliveredTask } from '../broker/undelivered.ts'
import { MayflyError } from '../errors.ts'
import { intentSchema } from '../intent/item-schema.ts'
import { json } from './answers.ts'
import type { App, Parts } from './env.ts'
import { ACCESS_TOKEN, DELEGATION, exchangeOf, TOKEN_EXCHANGE } from './exchange-form.ts'
import { type Form, formBody } from './form.ts'
import { oauthRefusals } from './oauth-error.ts'
import { exchangedAnswer, exchangedWire } from './wire/access-token.ts'

/** `POST /oauth2/token`: RFC 8693 token exchange, the standard way to open a task and get a token. */
export function tokenRoute(app: App, { broker, guards }: Parts): void {
  const exchange = createRoute({
    method: 'post',
    path: '/oauth2/token',
    tags: ['oauth'],
    summary: 'Exchange evidence or a task token for an access token (RFC 8693)',
    description: `The subject token is what authenticates. With the header \`DPoP\` (RFC 9449 §5) the token is bound to its key; the proof needs the nonce of a first answer. \`subject_token_type\` is \`…:jwt\` for evidence, which opens a task for this one token, \`${ACCESS_TOKEN}\` for a task token, and \`${DELEGATION}\` for a delegation, with the executor's evidence as \`actor_token\`.`,
    security: [],
    responses: {
      200: json(exchangedAnswer, 'The access token; with evidence also the token of its task.'),
      ...oauthRefusals(429, 502),
    },
  })
  app.openAPIRegistry.registerPath({ ...exchange, request: { body: exchangeForm } })
  app.openapi({ ...exchange, hide: true }, async (c) => {
    const form = await formBody(c)
    refuseOtherProof(c, form)
    const request = exchangeOf(c, form, guards.shownInBody)
    const exchanged = await exchangeToken(broker, request)
    c.set('upstream', exchanged.issued.lease.provider)
    if (c.req.raw.signal.aborted) throw await undelivered(broker, exchanged)
    return c.json(exchangedWire(exchanged, broker.clock.now()), 200)
  })
}

function undelivered(broker: Broker, { task, taskToken, issued }: ExchangedToken) {
  const { lease } = issued
  return taskToken ? endUndeliveredTask(broker, { task, lease }) : endUndelivered(broker, lease)
}

/** Who shows more than the subject token believes to have proved something by it. */
function refuseOtherProof(c: Context, form: Form): void {
  const shown = ['client_secret', 'client_assertion'].some((name) => form.one(name) !== undefined)
  if (!shown && c.req.header('authorization') === undefined) return
  throw new MayflyError(
    'invalid_request',
    'no client authentication here: the tokens in the body do',
  )
}

/** For the description alone: it is parsed by hand. */
const exchangeForm = {
  content: {
    'application/x-www-form-urlencoded': {
      schema: z.object({
        grant_type: z.literal(TOKEN_EXCHANGE),
        subject_token: z.string(),
        subject_token_type: z.string(),
        actor_token: z.string().optional(),
        actor_token_type: z.string().optional(),
        authorization_details: intentSchema
          .optional()
          .openapi({ description: 'As JSON (RFC 9396).' }),
        scope: z.string().optional().openapi({ description: 'Actions, on the whole API.' }),
        audience: z.array(z.string()).optional(),
        resource: z.array(z.string()).optional(),
        requested_token_type: z.string().optional(),
        client_id: z.string().optional().openapi({ description: 'If said, the agent’s id.' }),
      }),
    },
  },
  required: true,
} as const
