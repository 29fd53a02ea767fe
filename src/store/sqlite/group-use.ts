import type { GroupUse } from '../../model/group-use.ts'
import type { Db } from './database.ts'
import { and, eq, sql } from './drizzle.ts'
import { leases } from './schema.ts'
import { isEnding, isReservedOrActive, isUnsettled } from './states.ts'

/** What of a group is not ordered to end, and what of the rest may still get a session. */
export function groupUse(db: Db, group: string, now: number): GroupUse {
  const { tenant, agent, task, groupKey } = leases
  // Index: leases_group_live.
  const holders = db
    .select({ tenant, agent, task, since: sql<number>`min(${leases.createdAt})` })
    .from(leases)
    .where(and(eq(groupKey, group), isReservedOrActive))
    .groupBy(tenant, agent, task)
    .all()
  // Index: leases_unsettled.
  const renewing = db
    .select({ id: leases.id })
    .from(leases)
    .where(and(isUnsettled, eq(leases.renewing, 1), isEnding, eq(groupKey, group)))
    .all()
  return { asOf: now, holders, renewing: renewing.map(({ id }) => id) }
}
