import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Actor } from '../audit/events.ts'
import { MayflyError } from '../errors.ts'
import { type LeaseId, leaseOfName } from '../ids.ts'
import type { DriftKind } from '../model/drift.ts'
import type { Lease } from '../model/lease.ts'
import { type InventoryItem, type Provider, UpstreamError } from '../provider.ts'
import type { DriftPage, DriftPaged } from '../store/store.ts'
import { answerWithin } from './answer-within.ts'
import type { Broker } from './broker.ts'
import type { Drift, Finding, Repairs } from './drift.ts'
import { judgeInventory, type Known } from './judge-inventory.ts'
import { seenWorking } from './look-again.ts'
import { repairDrift } from './repair-drift.ts'

export interface Reconciliation {
  readonly provider: string
  readonly startedAt: number
  /** How many things the upstream listed; undefined: it lists nothing. */
  readonly items: number | undefined
  readonly findings: readonly Finding[]
  /** Why it could not be looked at; then only what was seen before stands in `findings`. */
  readonly error?: string
}

const PAGE = 500
/** Longer than any provider takes by itself. */
const INVENTORY_DEADLINE_MS = 90_000
/** An upstream that forgot everything is one finding, not a hundred thousand. */
const MOST_FINDINGS = 1_000
/** A lease that was reserved so recently may not have reached its upstream yet. */
const YOUNG_MS = 60_000

/** Every provider, or the one of that name; each for itself. */
export async function reconcileAll(
  broker: Broker,
  name: string | undefined,
  order: { readonly repair: Repairs; readonly actor: Actor },
): Promise<readonly Reconciliation[]> {
  const names = name === undefined ? [...broker.world().providers.keys()] : [name]
  return await Promise.all(names.map((one) => reconcileProvider(broker, one, order)))
}

/**
 * remember what is refused → look at the upstream → judge → look again at what was proved → repair
 *
 * The store is read before and after, so that what moves meanwhile is not mistaken for drift.
 * `not_found` for a provider that is not configured.
 */
export async function reconcileProvider(
  broker: Broker,
  name: string,
  order: { readonly repair: Repairs; readonly actor: Actor },
): Promise<Reconciliation> {
  const { clock, health, world } = broker
  const provider = world().providers.get(name)?.provider
  if (!provider) throw new MayflyError('not_found', `no provider "${name}" is configured`)
  const startedAt = clock.now()
  try {
    const { items, drifts } = await differences(broker, { name, provider, startedAt })
    const told = drifts.slice(0, MOST_FINDINGS)
    const findings: Finding[] = []
    for (const drift of told) {
      findings.push({ drift, repair: await repairDrift(broker, { provider, name, drift, order }) })
    }
    health.reconciled(name, countsOf(drifts))
    return { provider: name, startedAt, items: items?.length, findings }
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    return { provider: name, startedAt, items: undefined, findings: [], error: error.message }
  }
}

interface Subject {
  readonly name: string
  readonly provider: Provider
  readonly startedAt: number
}

async function differences(
  broker: Broker,
  { name, provider, startedAt }: Subject,
): Promise<{ items: readonly InventoryItem[] | undefined; drifts: readonly Drift[] }> {
  const before = await containedOf(broker, name)
  const holders = await broker.store.drift.holders(name)
  const items = await inventoryOf(broker, provider, {
    groups: [...new Set([...before.values()].flatMap(({ group }) => group ?? []))],
    slots: [...holders.keys()],
  })
  const walk = { after: undefined, most: Number.POSITIVE_INFINITY }
  const again = await seenWorking(broker, { name, provider, startedAt, walk })
  if (items === undefined) return { items, drifts: again }
  const known: Known = {
    provider: name,
    neighbours: neighboursOf(broker, name),
    startedAt,
    contained: unchanged(before, await containedOf(broker, name)),
    holders: unchanged(holders, await broker.store.drift.holders(name)),
    named: await leasesNamed(broker, items),
  }
  const judged = judgeInventory(items, known)
  const lost = new Set(judged.map(({ lease }) => lease?.id))
  const drifts = [
    ...judged,
    ...again.filter(({ lease }) => !lost.has(lease?.id)),
    ...(await gone(broker, name, { items, startedAt })),
  ]
  return { items, drifts }
}

async function inventoryOf(
  { clock }: Broker,
  provider: Provider,
  beside: { groups: readonly string[]; slots: readonly string[] },
): Promise<readonly InventoryItem[] | undefined> {
  const asked = provider.inventory?.(beside)
  if (asked === undefined) return undefined
  const late = 'its inventory was not there before the deadline'
  return await answerWithin({ clock, ms: INVENTORY_DEADLINE_MS, late }, asked)
}

function neighboursOf({ world }: Broker, name: string): ReadonlySet<string> {
  const { providers } = world()
  const here = providers.get(name)?.upstream
  const same = [...providers].filter(([, { upstream }]) => upstream === here)
  return new Set(same.map(([neighbour]) => neighbour))
}

/** What counts as refused now, by id. By the earlier clock: what is dead for it is dead (P5). */
async function containedOf({ store, clock }: Broker, name: string): Promise<Map<LeaseId, Lease>> {
  const now = clock.earliest()
  const found = new Map<LeaseId, Lease>()
  await everyPage(
    (page) => store.drift.contained(name, now, page),
    ({ leases }) => {
      for (const { lease } of leases) found.set(lease.id, lease)
    },
  )
  return found
}

/** What is the same in both, as it is now. */
function unchanged<K>(before: ReadonlyMap<K, Lease>, now: ReadonlyMap<K, Lease>): Map<K, Lease> {
  return new Map(
    [...now].filter(([key, lease]) => {
      const was = before.get(key)
      return (
        was?.id === lease.id && was.state === lease.state && was.containment === lease.containment
      )
    }),
  )
}

/** Read after the upstream: a name is reserved before it is used there, so it is here by then. */
async function leasesNamed(
  { store }: Broker,
  items: readonly InventoryItem[],
): Promise<Map<LeaseId, Lease>> {
  const found = new Map<LeaseId, Lease>()
  const names = [...new Set(items.flatMap(({ upstreamName }) => upstreamName ?? []))]
  for (const [at, name] of names.entries()) {
    if (at % PAGE === PAGE - 1) await nextTurn()
    const id = leaseOfName(name)
    const lease = id && (await store.leases.byId(id))
    if (lease) found.set(lease.id, lease)
  }
  return found
}

/** Active leases that stand alone and of which the upstream, which lists them, shows nothing. */
async function gone(
  { store }: Broker,
  name: string,
  { items, startedAt }: { items: readonly InventoryItem[]; startedAt: number },
): Promise<Drift[]> {
  const listed = new Set(items.flatMap(({ upstreamName }) => upstreamName ?? []))
  const found: Drift[] = []
  await everyPage(
    (page) => store.drift.active(name, page),
    ({ leases }) => {
      for (const { lease } of leases) {
        const { group, slot, upstreamName, revocability } = lease
        const alone = group === null && slot === null && revocability !== 'expiry'
        const young = lease.createdAt > startedAt - YOUNG_MS
        if (!alone || young || listed.has(upstreamName)) continue
        const what = 'the upstream shows nothing of it'
        found.push({ kind: 'died-early', what, upstreamName, lease })
      }
    },
  )
  return found
}

async function everyPage(
  read: (page: DriftPage) => Promise<DriftPaged>,
  take: (page: DriftPaged) => void,
): Promise<void> {
  let after: DriftPage['after']
  do {
    const page = await read({ after, limit: PAGE })
    take(page)
    after = page.next
    // A walk over many leases must not hold up whoever wants a credential.
    await nextTurn()
  } while (after !== undefined)
}

function countsOf(drifts: readonly Drift[]): ReadonlyMap<DriftKind, number> {
  const counts = new Map<DriftKind, number>()
  for (const { kind } of drifts) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}
