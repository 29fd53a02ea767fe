import type { Actor } from '../audit/events.ts'
import type { Lease } from '../model/lease.ts'
import { type Provider, UpstreamError } from '../provider.ts'
import type { Broker } from './broker.ts'
import type { Drift, Finding, Repairs } from './drift.ts'

/** What outlived its latest possible expiry was prolonged by somebody: nobody knows until when. */
const PROLONGED_MS = 3_600_000

interface Repair {
  readonly provider: Provider
  readonly name: string
  readonly drift: Drift
  readonly order: { readonly repair: Repairs; readonly actor: Actor }
}

/**
 * Mends one difference as far as it was ordered. Nothing upstream is ever deleted because it is not
 * known here: a database that was restored does not know what its successor refused.
 */
export async function repairDrift(broker: Broker, repair: Repair): Promise<Finding['repair']> {
  const { drift, order } = repair
  const { lease, slot } = drift
  switch (drift.kind) {
    case 'containment-lost':
      if (lease === undefined) return 'none'
      return order.repair === 'nothing' ? 'possible' : await endAgain(broker, repair, lease)
    case 'left-over':
      if (lease === undefined) return 'none'
      if (order.repair === 'nothing') return 'possible'
      await broker.store.drift.cleanAgain(lease.id, broker.clock.now())
      return 'done'
    case 'slot-off':
      if (slot === undefined || repair.provider.giveBack === undefined) return 'none'
      return order.repair === 'everything' ? await giveBack(broker, repair, slot) : 'possible'
    case 'died-early':
    case 'unknown-lease':
    case 'unseen':
      return 'none'
  }
}

/** Ended or enforced → ending: whatever it died of, the upstream is told again. */
async function endAgain(
  { store, clock, health, log }: Broker,
  { name, drift, order }: Repair,
  lease: Lease,
): Promise<Finding['repair']> {
  const now = clock.now()
  const until = lease.latestPossibleExpiry > now ? 0 : now + PROLONGED_MS
  const lost = await store.drift.lose({
    seen: lease,
    what: drift.what,
    until,
    actor: order.actor,
    now,
  })
  if (!lost) return { failed: 'the lease moved on meanwhile; look again' }
  health.containmentLost(name)
  log.error(
    { provider: name, lease: lease.id, upstream_name: lease.upstreamName, what: drift.what },
    'containment lost: an upstream accepts what it had refused; it is ended again',
  )
  return 'done'
}

async function giveBack(
  { store, log }: Broker,
  { provider, name, order }: Repair,
  slot: string,
): Promise<Finding['repair']> {
  const [outcome] = await ask(provider, slot)
  if (outcome === undefined) return { failed: 'the provider said nothing of it' }
  if (!outcome.ok) return { failed: outcome.error }
  log.warn({ provider: name, slot }, 'a slot that no lease holds was switched on again')
  await store.audit.append([
    { type: 'slot.given_back', actor: order.actor, data: { provider: name, slot } },
  ])
  return 'done'
}

async function ask(provider: Provider, slot: string) {
  try {
    return (await provider.giveBack?.([slot])) ?? []
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    return [{ slot, ok: false, error: error.message } as const]
  }
}
