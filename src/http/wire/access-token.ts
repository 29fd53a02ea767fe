import { z } from '@hono/zod-openapi'
import type { ExchangedToken } from '../../broker/exchange.ts'
import type { ActiveToken } from '../../broker/introspect.ts'
import { withoutUndefined } from '../../model/optional.ts'
import type { ExchangedWire, IntrospectionWire } from '../../model/wire.ts'
import { ACCESS_TOKEN } from '../exchange-form.ts'
import { intentItemAnswer, intentWire } from './intent.ts'
import { revealCredential, revealToken } from './reveal.ts'

type Active = Extract<IntrospectionWire, { active: true }>

const active = z.strictObject({
  active: z.literal(true),
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  sub: z.string().openapi({ description: 'The agent on whose behalf it is used.' }),
  client_id: z.string().openapi({ description: 'The agent that holds it.' }),
  tenant: z.string(),
  jti: z.string().openapi({ description: 'The upstream name of its lease.' }),
  iat: z.int(),
  exp: z.int(),
  token_type: z.enum(['Bearer', 'DPoP']),
  scope: z
    .string()
    .optional()
    .openapi({ description: 'Only where it is for the whole API, unconstrained.' }),
  authorization_details: z.array(intentItemAnswer),
  cnf: z.record(z.string(), z.string()).optional(),
  act: z.looseObject({ sub: z.string() }).optional(),
})

export const introspectionAnswer = withoutUndefined<IntrospectionWire>(
  z.union([active, z.strictObject({ active: z.literal(false) })]).openapi('Introspection', {
    description:
      'RFC 7662 §2.2. What is unknown, forged, expired, ended or meant for others is not active, and no more is said of it.',
  }),
)

/** The claims as they were signed (RFC 7662 §2.2, RFC 9396 §9.2), or that there is nothing to say. */
export function introspectionWire(token: ActiveToken | undefined): IntrospectionWire {
  if (token === undefined) return { active: false }
  // We signed it, with exactly the claims that the provider's own tests hold it to.
  const claims = token.claims as Omit<Active, 'active' | 'token_type'>
  return { ...claims, active: true, token_type: tokenTypeOf(claims) }
}

function tokenTypeOf({ cnf }: Pick<Active, 'cnf'>): Active['token_type'] {
  return cnf?.jkt === undefined ? 'Bearer' : 'DPoP'
}

export const exchangedAnswer = withoutUndefined<ExchangedWire>(
  z
    .strictObject({
      access_token: z.string(),
      issued_token_type: z.literal(ACCESS_TOKEN),
      token_type: z.enum(['Bearer', 'DPoP']),
      expires_in: z.int(),
      scope: z.string().optional(),
      authorization_details: z.array(intentItemAnswer).openapi({ description: 'As granted.' }),
      lease_id: z.string(),
      task_id: z.string(),
      task_token: z.string().optional().openapi({
        description: 'Of the task that was opened for this token; it can end it before its time.',
      }),
    })
    .openapi('ExchangedToken', { description: 'RFC 8693 §2.2.1.' }),
)

/** With its secrets, which leave in this one answer (P2). */
export function exchangedWire(exchanged: ExchangedToken, now: number): ExchangedWire {
  const { issued, task, taskToken, intent } = exchanged
  const { access_token, token_type, scope }: Readonly<Record<string, unknown>> =
    revealCredential(issued)
  return {
    access_token: String(access_token),
    issued_token_type: ACCESS_TOKEN,
    token_type: token_type === 'DPoP' ? 'DPoP' : 'Bearer',
    expires_in: Math.max(0, Math.floor((issued.lease.expiresAt - now) / 1000)),
    ...(typeof scope === 'string' && { scope }),
    authorization_details: intentWire(intent),
    lease_id: issued.lease.id,
    task_id: task.id,
    ...(taskToken && { task_token: revealToken(taskToken) }),
  }
}
