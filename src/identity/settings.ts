import { z } from 'zod'
import { configuredName } from '../model/name.ts'
import { PROOFS } from '../model/task.ts'
import { plainText } from '../model/text.ts'
import { httpsOrLoopback } from './url.ts'

/** Asymmetric signatures only: a public key can never be mistaken for a shared secret. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

const keyUrl = z
  .string()
  .max(2_048)
  .refine((text) => httpsOrLoopback(text) !== undefined, {
    error: 'must be an https URL (http is accepted on loopback only)',
  })

/** An issuer of OIDC tokens, which includes a Kubernetes cluster's service-account tokens. */
export const issuerSchema = z.strictObject({
  name: configuredName,
  type: z.literal('oidc'),
  /** Must equal the token's `iss` to the character. */
  issuer: keyUrl,
  /** Must be the token's one and only `aud`. */
  audience: plainText(),
  /** Absent: found by discovery at the issuer, on the issuer's own host. */
  jwks_uri: keyUrl.optional(),
  algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(['RS256', 'ES256']),
  clock_tolerance_seconds: z.int().min(0).max(60).default(30),
  /** Since `iat`, whatever `exp` says. */
  max_age_seconds: z.int().min(1).max(604_800).default(86_400),
  /** If set, the token's `typ` header must be this, for example `at+jwt`. */
  typ: plainText(64).optional(),
  /** Accept each token once, by its `jti`. Not for Kubernetes, whose tokens are reused. */
  one_time: z.boolean().default(false),
})
export type IssuerConfig = z.output<typeof issuerSchema>

/** Which workloads: of one issuer, with claims that all match. `*` never crosses `:` or `/`. */
export const matchSchema = z.strictObject({
  issuer: configuredName,
  claims: z.record(plainText(256), plainText()).refine((claims) => Object.keys(claims).length > 0, {
    error: 'must name at least one claim, for example sub',
  }),
})
export type MatchConfig = z.output<typeof matchSchema>

export const agentSchema = z.strictObject({
  id: configuredName,
  tenant: configuredName,
  owner: plainText(256),
  proof: z.enum(PROOFS).default('bearer'),
  labels: z.array(plainText(128)).max(50).default([]),
  match: matchSchema,
})
export type AgentConfig = z.output<typeof agentSchema>
