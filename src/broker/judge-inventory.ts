import { type LeaseId, leaseOfName } from '../ids.ts'
import type { Lease } from '../model/lease.ts'
import type { InventoryItem } from '../provider.ts'
import type { Drift } from './drift.ts'

/** What was known before the upstream was looked at, and what is known since. */
export interface Known {
  readonly provider: string
  /** Every provider that reaches the same upstream: each judges the leases minted through it. */
  readonly neighbours: ReadonlySet<string>
  readonly startedAt: number
  /** Leases that counted as refused, and still do, and may not be dead. */
  readonly contained: ReadonlyMap<LeaseId, Lease>
  /** By slot, as before and unchanged since. */
  readonly holders: ReadonlyMap<string, Lease>
  /** The leases the items name; one that is missing here is not in the store. */
  readonly named: ReadonlyMap<LeaseId, Lease>
}

/**
 * What the items say against what is known. Whatever changed here while the upstream was looked at
 * is not judged: it is seen the next time.
 */
export function judgeInventory(items: readonly InventoryItem[], known: Known): readonly Drift[] {
  return [...items.flatMap((item) => judgeItem(item, known)), ...missingRefusals(items, known)]
}

function judgeItem(item: InventoryItem, known: Known): Drift[] {
  const { upstreamName, slot, group, works } = item
  if (upstreamName !== undefined) return judgeNamed({ ...item, upstreamName }, known)
  if (slot !== undefined && works !== undefined) return judgeSlot({ ...item, slot, works }, known)
  if (works !== undefined) return []
  const about = slot ?? group
  return [{ kind: 'unseen', what: item.what, ...(about === undefined ? {} : { slot: about }) }]
}

function judgeNamed(item: InventoryItem & { upstreamName: string }, known: Known): Drift[] {
  const { upstreamName, what, works } = item
  const id = leaseOfName(upstreamName)
  const lease = id && known.named.get(id)
  const facts = { what, upstreamName, ...(works === undefined ? {} : { works }) }
  const elsewhere = lease !== undefined && lease.provider !== known.provider
  if (elsewhere && known.neighbours.has(lease.provider)) return []
  // A name is no proof: whoever may write at one upstream says nothing of the leases of another.
  if (!lease || elsewhere) return [{ kind: 'unknown-lease', ...facts }]
  const about = { ...facts, lease }
  if (works === false) return lease.state === 'active' ? [{ kind: 'died-early', ...about }] : []
  const overBefore = lease.endedAt !== null && lease.endedAt < known.startedAt
  const refusedBefore = overBefore || known.contained.has(lease.id)
  if (works === true && refusedBefore) return [{ kind: 'containment-lost', ...about }]
  return works === undefined && overBefore && lease.dueAt === null
    ? [{ kind: 'left-over', ...about }]
    : []
}

function judgeSlot(item: InventoryItem & { slot: string; works: boolean }, known: Known): Drift[] {
  const { slot, what, works } = item
  const lease = known.holders.get(slot)
  if (!lease) return works ? [] : [{ kind: 'slot-off', what, slot, works }]
  const about = { what, slot, works, lease }
  if (!works) return lease.state === 'active' ? [{ kind: 'died-early', ...about }] : []
  return known.contained.has(lease.id) ? [{ kind: 'containment-lost', ...about }] : []
}

/** Of a group everything that is refused is listed: what is not there is refused no more. */
function missingRefusals(items: readonly InventoryItem[], { contained }: Known): Drift[] {
  const named = items.filter(({ upstreamName }) => upstreamName !== undefined)
  const listed = new Set(named.map(({ group, upstreamName }) => placeOf(group, upstreamName)))
  const rest = items.filter(({ upstreamName }) => upstreamName === undefined)
  const whole = new Set(rest.flatMap(({ group }) => group ?? []))
  const many = items.filter(({ refuses }) => refuses !== undefined)
  return [...contained.values()]
    .filter((lease) => {
      const { group, upstreamName } = lease
      if (group === null || whole.has(group)) return false
      // What another group's document names is refused there, not here.
      if (listed.has(placeOf(group, upstreamName))) return false
      if (listed.has(placeOf(undefined, upstreamName))) return false
      return !many.some((item) => item.refuses?.(lease))
    })
    .map((lease) => ({
      kind: 'containment-lost',
      what: `nothing on ${lease.group} refuses it any more`,
      upstreamName: lease.upstreamName,
      lease,
    }))
}

function placeOf(group: string | undefined, upstreamName: string | undefined): string {
  return JSON.stringify([group ?? null, upstreamName])
}
