import { z } from 'zod'
import { type ApprovalsConfig, parseApprovals } from './config/approvals.ts'
import { checkCeiling } from './config/ceiling.ts'
import { parseYaml } from './config/document.ts'
import {
  type EntitlementConfig,
  type ParsedEntitlement,
  parseEntitlements,
} from './config/entitlement.ts'
import { deepFreeze } from './config/freeze.ts'
import { type GatewayConfig, parseGateways } from './config/gateway.ts'
import { parseIdentity } from './config/identity.ts'
import { type LimitsConfig, limitsSchema } from './config/limits.ts'
import { type OperatorConfig, parseOperators } from './config/operator.ts'
import { parsePlaces } from './config/places.ts'
import { type ProviderConfig, parseProviders } from './config/provider.ts'
import { Report } from './config/report.ts'
import { parseResourceServers, type ResourceServerConfig } from './config/resource-server.ts'
import type { ResolveSecret } from './config/secret-reference.ts'
import { parseServer, type ServerConfig } from './config/server.ts'
import { refuseSharedAccounts, refuseSharedTargets } from './config/sharing.ts'
import { parseSignals, type SignalSource } from './config/signals.ts'
import type { Problem } from './errors.ts'
import type { AgentConfig, IssuerConfig } from './identity/settings.ts'
import type { PolicySource } from './policy/policy-set.ts'
import type { AnyProviderDefinition } from './provider.ts'
import type { Secret } from './secret.ts'

export type { EntitlementConfig } from './config/entitlement.ts'
export type { GatewayConfig } from './config/gateway.ts'
export type { LimitsConfig } from './config/limits.ts'
export type { OperatorConfig } from './config/operator.ts'
export type { ProviderConfig } from './config/provider.ts'
export type { ResourceServerConfig } from './config/resource-server.ts'
export type { ServerConfig } from './config/server.ts'
export type { SignalSource } from './config/signals.ts'
export type { AgentConfig, IssuerConfig } from './identity/settings.ts'

/** `mayfly.yaml`, read, checked and frozen. Durations are seconds, instants epoch milliseconds. */
export interface Config {
  /** Part of every upstream name. */
  readonly installation: string
  readonly server: ServerConfig
  /** Absolute path of the SQLite file. */
  readonly store: { readonly path: string }
  /** Absolute. */
  readonly keysDir: string
  readonly issuers: readonly IssuerConfig[]
  readonly agents: readonly AgentConfig[]
  readonly entitlements: readonly EntitlementConfig[]
  readonly providers: readonly ProviderConfig[]
  readonly policies: { readonly directory: string; readonly sources: readonly PolicySource[] }
  /** Policies that are asked beside and never enforced. */
  readonly policiesShadow?: Config['policies'] | undefined
  readonly signals: { readonly sources: readonly SignalSource[] }
  readonly approvals: ApprovalsConfig
  readonly operators: readonly OperatorConfig[]
  readonly gateways: readonly GatewayConfig[]
  readonly resourceServers: readonly ResourceServerConfig[]
  readonly audit: { readonly anchorPath?: string; readonly everySeconds: number }
  readonly limits: LimitsConfig
  /** Resolves a reference this configuration contains, anew each time: a file may rotate. */
  secret(reference: string): Secret
}

/** What the text alone does not hold. */
export interface ConfigSources {
  /** By type. */
  readonly definitions: ReadonlyMap<string, AnyProviderDefinition>
  readonly resolveSecret: ResolveSecret
  /** Every Cedar file of a directory, or why it cannot be read. */
  readonly readPolicies: (directory: string) => readonly PolicySource[] | Problem
  /** What relative paths are relative to: the directory of the file. */
  readonly baseDir: string
  readonly now: number
  /** Every provider type there is; absent: those of `definitions`. */
  readonly knownTypes?: readonly string[]
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Problem[] }
  | {
      readonly ok: false
      readonly problems: readonly Problem[]
      readonly warnings: readonly Problem[]
    }

/** Each section is read apart, so that a mistake in one hides nothing about the others. */
const documentSchema = z.strictObject({
  version: z.literal(1, 'must be 1'),
  installation: z
    .string()
    .regex(/^[a-z0-9-]{2,24}$/, 'must be 2 to 24 of a-z 0-9 -, for example acme-prod'),
  server: z.unknown().optional(),
  store: z.unknown().optional(),
  keys: z.unknown().optional(),
  issuers: z.unknown().optional(),
  agents: z.unknown().optional(),
  entitlements: z.unknown().optional(),
  providers: z.unknown().optional(),
  policies: z.unknown().optional(),
  policies_shadow: z.unknown().optional(),
  signals: z.unknown().optional(),
  approvals: z.unknown().optional(),
  operators: z.unknown().optional(),
  gateways: z.unknown().optional(),
  resource_servers: z.unknown().optional(),
  audit: z.unknown().optional(),
  limits: z.unknown().optional(),
})

/**
 * Reads a configuration: yaml → sections → what they say about each other. Never throws; reports
 * every problem at once with its path (P16). Pure but for what `sources` does.
 */
export function parseConfig(text: string, sources: ConfigSources): ConfigResult {
  const report = new Report()
  const document = parseYaml(report, text)
  const refused = () => ({ ok: false as const, ...report })
  if (report.problems.length > 0) return refused()
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    report.problem('', 'must be a mapping; start with mayfly init')
    return refused()
  }
  const raw = document as Record<string, unknown> // a mapping, checked above
  const parts = parseSections(report, raw, sources)
  if (report.problems.length > 0 || parts === undefined) return refused()
  return { ok: true, config: assemble(parts, sources.resolveSecret), warnings: report.warnings }
}

function parseSections(report: Report, raw: Record<string, unknown>, sources: ConfigSources) {
  const { definitions, resolveSecret, baseDir, now } = sources
  const top = report.parse(documentSchema, raw, '')
  const server = parseServer(report, raw.server, baseDir)
  const places = parsePlaces(report, raw, baseDir)
  const identity = parseIdentity(report, raw, { resolveSecret, server })
  const { providers, names, references } = parseProviders(report, raw.providers, {
    definitions,
    knownTypes: sources.knownTypes ?? [...definitions.keys()],
    resolveSecret,
  })
  const entitlements = parseEntitlements(report, raw.entitlements, {
    providers,
    providerNames: names,
    tenants: identity.tenantNames,
  })
  for (const entitlement of entitlements) checkCeiling(report, entitlement)
  refuseSharedTargets(report, entitlements)
  refuseSharedAccounts(report, entitlements)
  const signals = parseSignals(report, raw.signals, { resolveSecret, ...identity })
  const { approvals, references: forApprovals } = parseApprovals(report, raw.approvals, {
    resolveSecret,
  })
  const { issuers, issuerNames, tenantNames } = identity
  const callers = { issuers, issuerNames, tenants: tenantNames, now }
  const operators = parseOperators(report, raw.operators, callers)
  const gateways = parseGateways(report, raw.gateways, callers)
  const resourceServers = parseResourceServers(report, raw.resource_servers, {
    tenants: tenantNames,
    audiences: new Set(entitlements.flatMap(audiencesOf)),
  })
  const limits = report.parse(limitsSchema, raw.limits ?? {}, 'limits')
  const policies = readPolicySources(report, places?.policies, sources)
  const policiesShadow = readPolicySources(report, places?.policiesShadow, sources)
  if (!top || !server || !places || !limits || !policies || !approvals) return undefined
  return {
    installation: top.installation,
    server,
    store: { path: places.store },
    keysDir: places.keys,
    issuers: identity.issuers,
    agents: identity.agents,
    entitlements: entitlements.map(({ entitlement }) => entitlement),
    providers,
    policies,
    policiesShadow,
    signals: { sources: signals.sources },
    approvals,
    operators,
    gateways,
    resourceServers,
    audit: places.audit,
    limits,
    references: new Set([
      ...references,
      ...identity.references,
      ...signals.references,
      ...forApprovals,
    ]),
  }
}

function audiencesOf({ entitlement, provider }: ParsedEntitlement): readonly string[] {
  return provider?.definition.accessTokensOf?.(entitlement.target).audiences ?? []
}

function readPolicySources(
  report: Report,
  directory: string | undefined,
  { readPolicies }: ConfigSources,
) {
  if (directory === undefined) return undefined
  const read = readPolicies(directory)
  if ('path' in read) {
    report.problem(read.path, read.message)
    return undefined
  }
  if (read.length === 0) report.warn('policies', 'holds no .cedar file: everything is refused')
  return { directory, sources: read }
}

function assemble(
  parts: NonNullable<ReturnType<typeof parseSections>>,
  resolveSecret: ResolveSecret,
): Config {
  const { references, providers, ...plain } = parts
  const frozen = deepFreeze(plain)
  return Object.freeze({
    ...frozen,
    providers: Object.freeze(
      providers.map((provider) =>
        Object.freeze({ ...provider, settings: deepFreeze(provider.settings) }),
      ),
    ),
    secret: (reference: string) => {
      const secret = references.has(reference) ? resolveSecret(reference) : undefined
      if (secret === undefined) throw new Error(`${reference} cannot be resolved (any more)`)
      return secret
    },
  })
}
