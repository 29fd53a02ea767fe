import { z } from '@hono/zod-openapi'
import type {
  AgentStanding,
  EntitlementStanding,
  ProviderStanding,
} from '../../broker/read-world.ts'
import { RISK_LEVELS } from '../../model/risk.ts'
import type { AgentWire, EntitlementWire, ProviderWire } from '../../model/wire.ts'
import { intentItemAnswer, intentWire } from './intent.ts'
import { known } from './known.ts'

export const agentAnswer = z
  .strictObject({
    id: z.string(),
    tenant: z.string(),
    owner: z.string(),
    proof: z.string(),
    open_tasks: z.int(),
    active_leases: z.int(),
    risk: z.enum(RISK_LEVELS),
    blocked: z.boolean(),
  })
  .openapi('Agent')

export const entitlementAnswer = z
  .strictObject({
    id: z.string(),
    tenants: z.array(z.string()),
    provider: z.string(),
    target: z.string(),
    ceiling: z.array(intentItemAnswer),
    zone: z.string(),
    default_ttl_seconds: z.int(),
    max_ttl_seconds: z.int(),
    revocability: z.string(),
    active_leases: z.int(),
  })
  .openapi('Entitlement')

const circuitAnswer = z.strictObject({
  open: z.boolean(),
  failures: z.int().openapi({ description: 'In a row, until now.' }),
})

export const providerAnswer = z
  .strictObject({
    id: z.string(),
    type: z.string(),
    circuits: z.strictObject({ mint: circuitAnswer, revoke: circuitAnswer }),
    problem: z.string().optional().openapi({
      description: 'Why nothing is minted there now that would have to be ended early.',
    }),
  })
  .openapi('Provider')

export const reloadAnswer = z
  .strictObject({
    applied: z.boolean(),
    changes: z.array(z.string()),
    would_end: z.int(),
    confirm: z.string().optional(),
  })
  .openapi('Reload')

export function agentWire(standing: AgentStanding): AgentWire {
  const { agent, openTasks, activeLeases, risk, blocked } = standing
  const { id, tenant, owner, proof } = agent
  return {
    id,
    tenant,
    owner,
    proof,
    open_tasks: openTasks,
    active_leases: activeLeases,
    risk,
    blocked,
  }
}

export function entitlementWire(standing: EntitlementStanding): EntitlementWire {
  const { entitlement, tenants, description, activeLeases } = standing
  return {
    id: entitlement.id,
    tenants: [...tenants],
    provider: entitlement.provider,
    target: description?.target ?? entitlement.provider,
    ceiling: intentWire(entitlement.ceiling),
    zone: entitlement.zone,
    default_ttl_seconds: entitlement.defaultTtlSeconds,
    max_ttl_seconds: entitlement.maxTtlSeconds,
    revocability: description?.revocability ?? entitlement.weakestRevocability,
    active_leases: activeLeases,
  }
}

export function providerWire({ provider, circuits, problem }: ProviderStanding): ProviderWire {
  const circuitWire = ({ open, failures }: typeof circuits.mint) => ({ open, failures })
  return {
    id: provider.name,
    type: provider.type,
    circuits: { mint: circuitWire(circuits.mint), revoke: circuitWire(circuits.revoke) },
    ...known({ problem }),
  }
}
