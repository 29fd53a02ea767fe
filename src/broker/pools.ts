import type { Broker } from './broker.ts'

/** How many slots of a provider's pools are in which state. */
export interface PoolCounts {
  readonly provider: string
  readonly free: number
  readonly leased: number
  /** Of leases that ended: not lent before all that was minted on them is dead. */
  readonly quarantined: number
}

/** The pools of the configured entitlements; a provider without any is absent. */
export async function countPools({ world, store }: Broker): Promise<readonly PoolCounts[]> {
  const counts: PoolCounts[] = []
  for (const [provider, slots] of slotsByProvider(world())) {
    const holders = await store.drift.holders(provider)
    const held = [...slots].flatMap((slot) => holders.get(slot) ?? [])
    const leased = held.filter(({ state }) => state === 'reserved' || state === 'active').length
    const quarantined = held.length - leased
    counts.push({ provider, free: slots.size - held.length, leased, quarantined })
  }
  return counts
}

function slotsByProvider({ entitlements, providers }: ReturnType<Broker['world']>) {
  const slots = new Map<string, Set<string>>()
  for (const { provider, target } of entitlements.values()) {
    const own = providers.get(provider)?.config.definition.accountsOf?.(target).own ?? []
    if (own.length > 0) slots.set(provider, new Set([...(slots.get(provider) ?? []), ...own]))
  }
  return slots
}
