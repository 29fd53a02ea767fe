import { sql } from './drizzle.ts'
import { approvals, leases, tasks } from './schema.ts'

// States as literals: SQLite uses a partial index only where it can read that its condition holds,
// which it cannot of a bound value.

export const isOpen = sql`${tasks.state} = 'open'`
export const isReserved = sql`${leases.state} = 'reserved'`
export const isActive = sql`${leases.state} = 'active'`
export const isEnding = sql`${leases.state} = 'ending'`
/** Reserved, active or ending: true of what has no `ended_at`, which the indexes are made of. */
export const isNotEnded = sql`${leases.endedAt} is null`
/** Its end is due at an upstream that could still hasten it. Index: leases_owed, with these words. */
export const isOwed = sql`${leases.state} = 'ending' and ${leases.containment} in ('pending', 'unknown') and ${leases.dueAt} < ${leases.latestPossibleExpiry}`
/** Counts against caps, and may still be ended by what ends its task. */
export const isReservedOrActive = sql`(${leases.state} in ('reserved', 'active') and ${isNotEnded})`
/** Something at an upstream may still honour it. Index: leases_live. */
export const isLive = sql`(${leases.state} in ('reserved', 'active', 'ending') and ${isNotEnded})`
/** Nothing honours it any more; something of it may still have to be cleaned up. */
export const isDead = sql`${leases.state} in ('ended', 'failed')`
/** Index: leases_unsettled. */
export const isUnsettled = sql`(${leases.state} = 'reserved' or ${leases.renewing} = 1)`
/** Pending or granted: it may still come to a lease. Indexes: approvals_open, approvals_expiry. */
export const isUndecidedOrUnused = sql`${approvals.state} in ('pending', 'granted')`
/** Refused, as far as is known: what must not work again. Index: leases_contained. */
export const isContained = sql`${leases.containment} in ('enforced', 'proved')`
