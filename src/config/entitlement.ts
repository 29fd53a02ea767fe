import { z } from 'zod'
import { intentSchema } from '../intent/item-schema.ts'
import type { IntentItem } from '../model/intent.ts'
import type { Revocability } from '../model/lease.ts'
import { configuredName as name } from '../model/name.ts'
import { plainText } from '../model/text.ts'
import type { ProviderConfig } from './provider.ts'
import type { Located, Report } from './report.ts'
import { duration } from './scalar.ts'

/** What an operator made requestable (DESIGN §2). */
export interface EntitlementConfig {
  readonly id: string
  readonly tenants: readonly string[]
  /** The instance's name in `providers`. */
  readonly provider: string
  /** As parsed by the provider's definition. */
  readonly target: unknown
  readonly ceiling: readonly IntentItem[]
  readonly defaultTtlSeconds: number
  readonly maxTtlSeconds: number
  readonly zone: string
  readonly datasets: readonly { readonly name: string; readonly locations: readonly string[] }[]
  readonly labels: readonly string[]
  readonly acceptResiduals: readonly string[]
  /** The weakest revocability that is accepted (key `revocability`). */
  readonly weakestRevocability: Revocability
}

const DEFAULT_TTL_SECONDS = 300
const LEAST_MAX_TTL_SECONDS = 900

const schema = z
  .strictObject({
    id: name,
    tenants: z.array(name).min(1, 'must name at least one tenant'),
    provider: name,
    target: z.unknown(),
    ceiling: intentSchema,
    default_ttl: duration.default(DEFAULT_TTL_SECONDS),
    max_ttl: duration.optional(),
    zone: name.default('internal'),
    datasets: z.array(z.strictObject({ name, locations: z.array(plainText()).min(1) })).default([]),
    labels: z.array(plainText(64)).default([]),
    accept_residuals: z.array(plainText(64)).default([]),
    revocability: z.enum(['immediate', 'propagating', 'expiry']).default('propagating'),
  })
  .transform(
    (raw): EntitlementConfig => ({
      id: raw.id,
      tenants: raw.tenants,
      provider: raw.provider,
      target: raw.target,
      ceiling: raw.ceiling,
      defaultTtlSeconds: raw.default_ttl,
      maxTtlSeconds: raw.max_ttl ?? Math.max(raw.default_ttl, LEAST_MAX_TTL_SECONDS),
      zone: raw.zone,
      datasets: raw.datasets,
      labels: raw.labels,
      acceptResiduals: raw.accept_residuals,
      weakestRevocability: raw.revocability,
    }),
  )

/** What an entitlement may refer to. */
export interface EntitlementContext {
  readonly providers: readonly ProviderConfig[]
  readonly providerNames: ReadonlySet<string>
  readonly tenants: ReadonlySet<string>
}

/** An entitlement with the provider that must be able to express it, where both parsed. */
export interface ParsedEntitlement {
  readonly entitlement: EntitlementConfig
  readonly provider: ProviderConfig | undefined
  readonly path: string
}

/** Reads `entitlements` and what they refer to; the target is parsed by the provider. */
export function parseEntitlements(
  report: Report,
  value: unknown,
  context: EntitlementContext,
): ParsedEntitlement[] {
  const items = report.list(schema, value, 'entitlements')
  report.unique(items, 'id', (item) => item.id)
  return items.map((item) => check(report, item, context))
}

function check(
  report: Report,
  { value: entitlement, path }: Located<EntitlementConfig>,
  { tenants, providers, providerNames }: EntitlementContext,
): ParsedEntitlement {
  for (const [index, tenant] of entitlement.tenants.entries()) {
    if (!tenants.has(tenant)) {
      report.problem(`${path}.tenants[${index}]`, `no agent has the tenant "${tenant}"`)
    }
  }
  if (entitlement.defaultTtlSeconds > entitlement.maxTtlSeconds) {
    report.problem(`${path}.default_ttl`, 'must not be longer than max_ttl')
  }
  if (!providerNames.has(entitlement.provider)) {
    const known = [...providerNames].join(', ') || 'none'
    report.problem(
      `${path}.provider`,
      `there is no provider "${entitlement.provider}"; configured: ${known}`,
    )
  }
  const provider = providers.find((candidate) => candidate.name === entitlement.provider)
  if (!provider) return { entitlement, provider, path }
  const target = report.parse(provider.definition.target, entitlement.target, `${path}.target`)
  if (target === undefined) return { entitlement, provider: undefined, path }
  return { entitlement: { ...entitlement, target }, provider, path }
}
