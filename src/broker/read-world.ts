import type { AgentConfig, EntitlementConfig, ProviderConfig } from '../config.ts'
import { type RiskLevel, riskAt } from '../model/risk.ts'
import { matches } from '../model/selector.ts'
import type { Description } from '../provider.ts'
import type { Page } from '../store/store.ts'
import type { OperatorCaller } from './authenticate.ts'
import type { Broker, World } from './broker.ts'
import type { Circuit, Direction } from './circuit.ts'
import { mayRead, tenantsFor } from './operator.ts'
import { type Listing, pageOfAll } from './page.ts'

/** A configured agent and how it stands now. */
export interface AgentStanding {
  readonly agent: AgentConfig
  readonly openTasks: number
  readonly activeLeases: number
  readonly risk: RiskLevel
  readonly blocked: boolean
}

/** A configured entitlement, its tenants narrowed to those the operator may see. */
export interface EntitlementStanding {
  readonly entitlement: EntitlementConfig
  readonly tenants: readonly string[]
  readonly description: Description | undefined
  readonly activeLeases: number
}

type Fare = Pick<Circuit, 'open' | 'failures'>

/** A configured provider and how it fares. */
export interface ProviderStanding {
  readonly provider: ProviderConfig
  readonly circuits: Readonly<Record<Direction, Fare>>
  /**
   * Why nothing is minted there now, as far as something is to be ended early. Untold to operators of
   * some tenants: it may name a role or an account of another (P11).
   */
  readonly problem: string | undefined
}

export async function listAgents(
  broker: Broker,
  by: OperatorCaller,
  page: Page,
): Promise<Listing<AgentStanding>> {
  const { store, world } = broker
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  const now = broker.clock.now()
  const theirs = [...world().agents.values()].filter(({ tenant }) => mayRead(tenants, tenant))
  const { items, next } = pageOfAll(theirs, page, ({ id }) => id)
  const signals = await store.signals.risks(now)
  const blocks = await store.kills.liveBlocks(now)
  const openTasks = await store.tasks.openCounts()
  const classes = await store.leases.activeClasses()
  const standings = items.map((agent): AgentStanding => {
    const subject = { agent: agent.id, tenant: agent.tenant }
    const about = signals.filter(({ effective }) => effective.some((one) => matches(one, subject)))
    return {
      agent,
      openTasks: openTasks.get(agent.id) ?? 0,
      activeLeases: sum(classes.filter((one) => one.agent === agent.id)),
      risk: riskAt(about, now).level,
      blocked: blocks.some(
        (block) => mayRead(block.tenants, agent.tenant) && matches(block.selector, subject),
      ),
    }
  })
  return { items: standings, next }
}

export async function listEntitlements(
  broker: Broker,
  by: OperatorCaller,
  page: Page,
): Promise<Listing<EntitlementStanding>> {
  const world = broker.world()
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  const theirs = [...world.entitlements.values()].filter((entitlement) =>
    entitlement.tenants.some((tenant) => mayRead(tenants, tenant)),
  )
  const { items, next } = pageOfAll(theirs, page, ({ id }) => id)
  const classes = await broker.store.leases.activeClasses()
  const seen = classes.filter(({ agent }) => {
    const tenant = world.agents.get(agent)?.tenant
    return tenants === null || (tenant !== undefined && mayRead(tenants, tenant))
  })
  const standings = items.map(
    (entitlement): EntitlementStanding => ({
      entitlement,
      tenants: entitlement.tenants.filter((tenant) => mayRead(tenants, tenant)),
      description: describeCeiling(world, entitlement),
      activeLeases: sum(seen.filter((one) => one.entitlement === entitlement.id)),
    }),
  )
  return { items: standings, next }
}

/** The providers of what is there for the operator's tenants; of all, where they see every tenant. */
export async function listProviders(
  broker: Broker,
  by: OperatorCaller,
  page: Page,
): Promise<Listing<ProviderStanding>> {
  const { health } = broker
  const { providers, entitlements } = broker.world()
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  const served = [...entitlements.values()].filter((entitlement) =>
    entitlement.tenants.some((tenant) => mayRead(tenants, tenant)),
  )
  const theirs = [...providers.values()].filter(
    ({ config }) => tenants === null || served.some(({ provider }) => provider === config.name),
  )
  const { items, next } = pageOfAll(theirs, page, ({ config }) => config.name)
  const circuits = health.circuits()
  const problems = new Map(health.report().map(({ provider, problem }) => [provider, problem]))
  const standings = items.map(({ config: provider }): ProviderStanding => {
    const fareOf = (direction: Direction): Fare =>
      circuits.find((one) => one.provider === provider.name && one.direction === direction) ??
      UNASKED
    return {
      provider,
      circuits: { mint: fareOf('mint'), revoke: fareOf('revoke') },
      problem: tenants === null ? problems.get(provider.name) : undefined,
    }
  })
  return { items: standings, next }
}

const UNASKED: Fare = { open: false, failures: 0 }

/** What a lease on the whole ceiling would be; undefined while its provider cannot say. */
export function describeCeiling(
  { providers }: World,
  { provider, target, ceiling }: EntitlementConfig,
): Description | undefined {
  const config = providers.get(provider)?.config
  const { definition, settings } = config ?? {}
  const described = definition?.describe({ settings, target, intent: ceiling, ceiling })
  return described === undefined || 'refused' in described ? undefined : described
}

function sum(classes: readonly { readonly count: number }[]): number {
  return classes.reduce((total, { count }) => total + count, 0)
}
