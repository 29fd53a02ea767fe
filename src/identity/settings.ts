import { z } from 'zod'
import { configuredName } from '../model/name.ts'
import { PROOFS } from '../model/task.ts'
import { plainText } from '../model/text.ts'

export { type IssuerConfig, issuerSchema } from './issuer-settings.ts'

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
