import { z } from '@hono/zod-openapi'
import type { ActiveToken } from '../../broker/introspect.ts'
import { intentItemSchema } from '../../intent/item-schema.ts'
import { withoutUndefined } from '../../model/optional.ts'
import type { IntrospectionWire } from '../../model/wire.ts'

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
  authorization_details: z.array(intentItemSchema),
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
