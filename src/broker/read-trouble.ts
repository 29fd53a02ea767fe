import { setImmediate } from 'node:timers/promises'
import { MayflyError } from '../errors.ts'
import { isId } from '../ids.ts'
import type { Selector } from '../model/selector.ts'
import type { Block, Kill, KillProgress, Page, QueuedEnding, Signal } from '../store/store.ts'
import type { OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { mayRead, tenantsFor } from './operator.ts'
import { filteredPage, type Listing, pageFrom, pageOfAll } from './page.ts'
import { findLease, notFound } from './read.ts'
import { aboutOf } from './risk.ts'

export type {
  Block,
  Kill,
  KillCounts,
  KillProgress,
  QueuedEnding,
  Signal,
} from '../store/store.ts'

export interface FollowedKill {
  readonly kill: Kill
  readonly progress: KillProgress
}

/** A kill with how far its leases have come. One that reaches beyond the operator is unknown. */
export async function findKill(
  broker: Broker,
  by: OperatorCaller,
  id: string,
): Promise<FollowedKill> {
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  const kill = isId('kill', id) ? await broker.store.kills.byId(id) : undefined
  if (!kill || !within(tenants, kill.tenants)) throw notFound('kill')
  return { kill, progress: await broker.store.kills.progress(kill.id) }
}

/** The kills of the operator's tenants and nobody else, newest first. */
export async function listKills(
  broker: Broker,
  by: OperatorCaller,
  page: Page,
): Promise<Listing<FollowedKill>> {
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  const { kills } = broker.store
  const { items, next } = await filteredPage(page, {
    fetch: (part) => kills.list(part),
    place: (kill) => `${kill.createdAt}.${kill.id}`,
    keep: (kill) => within(tenants, kill.tenants),
  })
  const followed: FollowedKill[] = []
  for (const kill of items) {
    followed.push({ kill, progress: await kills.progress(kill.id) })
    // Each may have ended thousands: others are served in between (P13).
    await setImmediate()
  }
  return { items: followed, next }
}

/** A block that the operator may lift. */
export async function findBlock(broker: Broker, by: OperatorCaller, id: string): Promise<Block> {
  const tenants = tenantsFor(broker, by.operator, 'liftBlock')
  const block = isId('block', id) ? await broker.store.kills.blockById(id) : undefined
  if (!block || !within(tenants, block.tenants)) throw notFound('block')
  return block
}

export async function listBlocks(
  broker: Broker,
  by: OperatorCaller,
  request: { readonly live: 'live' | 'all'; readonly page: Page },
): Promise<Listing<Block>> {
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  const filter = { tenants: null, live: request.live === 'live', now: broker.clock.now() }
  return await filteredPage(request.page, {
    fetch: (page) => broker.store.kills.blocks(filter, page),
    place: (block) => `${block.createdAt}.${block.id}`,
    keep: (block) => within(tenants, block.tenants),
  })
}

/** Signals about the operator's tenants and nobody else. */
export async function listSignals(
  broker: Broker,
  by: OperatorCaller,
  request: { readonly source?: string; readonly page: Page },
): Promise<Listing<Signal>> {
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  const filter = request.source === undefined ? {} : { source: request.source }
  return await filteredPage(request.page, {
    fetch: (page) => broker.store.signals.list(filter, page),
    place: placeOfSignal,
    keep: (signal) => concernsOnly(broker, tenants, signal),
  })
}

/** What is believed to be in trouble now: unexpired signals with a level, newest first. */
export async function listRisk(
  broker: Broker,
  by: OperatorCaller,
  page: Page,
): Promise<Listing<Signal>> {
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  const signals = await broker.store.signals.risks(broker.clock.now())
  const theirs = signals
    .filter((signal) => concernsOnly(broker, tenants, signal))
    .toSorted((a, b) => b.receivedAt - a.receivedAt || (a.id < b.id ? 1 : -1))
  return pageOfAll(theirs, page, placeOfSignal)
}

/** Leases of the operator's tenants on their way out, with what has been tried. */
export async function listEndings(
  broker: Broker,
  by: OperatorCaller,
  request: { readonly provider?: string; readonly page: Page },
): Promise<Listing<QueuedEnding>> {
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  const { provider } = request
  const filter = { tenants, ...(provider === undefined ? {} : { provider }) }
  return await pageFrom(request.page, {
    fetch: (page) => broker.store.endings.list(filter, page),
    place: ({ lease }) => `${lease.createdAt}.${lease.id}`,
  })
}

/** Makes one ending due now. `conflict` if the lease is not waiting to be ended. */
export async function retryEnding(
  broker: Broker,
  by: OperatorCaller,
  id: string,
): Promise<QueuedEnding['lease']> {
  const lease = await findLease(broker, by, { id, act: 'kill' })
  const which = { lease: lease.id, tenants: [lease.tenant] }
  const retried = await broker.store.endings.retryNow(which, by.actor, broker.clock.now())
  if (retried === 0) throw new MayflyError('conflict', 'nothing of this lease waits to be ended')
  return (await broker.store.leases.byId(lease.id)) ?? lease
}

/** Makes every ending of the operator's tenants due now, or those at one provider. Returns how many. */
export async function retryEndings(
  broker: Broker,
  by: OperatorCaller,
  which: { readonly provider?: string | undefined },
): Promise<number> {
  const tenants = tenantsFor(broker, by.operator, 'kill')
  const { provider } = which
  const order = { tenants, ...(provider === undefined ? {} : { provider }) }
  const retried = await broker.store.endings.retryNow(order, by.actor, broker.clock.now())
  // One that was taken out of the configuration may still owe something.
  if (retried === 0 && provider !== undefined && !broker.world().providers.has(provider)) {
    throw notFound('provider')
  }
  return retried
}

/** Whether an order for `theirs` (null: every tenant) stays within what `tenants` may see. */
function within(tenants: readonly string[] | null, theirs: readonly string[] | null): boolean {
  return tenants === null || (theirs?.every((tenant) => mayRead(tenants, tenant)) ?? false)
}

/** Whether everything a signal names belongs to these tenants: by its tenant, or by its agent's. */
export function concernsOnly(
  { world }: Broker,
  tenants: readonly string[] | null,
  signal: Signal,
): boolean {
  if (tenants === null) return true
  const { agents } = world()
  const tenantOf = (selector: Selector): string | undefined =>
    'all' in selector ? undefined : (selector.tenant ?? agents.get(selector.agent ?? '')?.tenant)
  return aboutOf(world(), signal).every((selector) => {
    const tenant = tenantOf(selector)
    return tenant !== undefined && mayRead(tenants, tenant)
  })
}

function placeOfSignal(signal: Signal): string {
  return `${signal.receivedAt}.${signal.id}`
}
