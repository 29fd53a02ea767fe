import type { Reservation } from '../store.ts'
import type { Db } from './database.ts'
import { and, desc, eq, gt, isNotNull, sql } from './drizzle.ts'
import { leases } from './schema.ts'
import { param, prepared } from './statement.ts'

const HOUR_MS = 3_600_000

/**
 * When an agent that has had its high-impact permits of this hour may have the next; undefined: it
 * may now. An agent acts faster than its supervisor: however many tasks it opens, and whatever it
 * has already given back, this is how fast it can do what the strictest checks are kept for. A
 * replaced request counts, because what it got may have been used; a failed one got nothing.
 */
export function impactPace(db: Db): (order: Reservation, agent: string) => number | undefined {
  const { createdAt } = leases
  // Index: leases_high_impact, no more rows than an agent may have in an hour.
  const permitBefore = prepared(
    db,
    db
      .select({ at: createdAt })
      .from(leases)
      .where(
        and(
          eq(leases.agent, param('agent')),
          isNotNull(leases.impactJson),
          gt(createdAt, param('since')),
          sql`${leases.state} <> 'failed'`,
        ),
      )
      .orderBy(desc(createdAt))
      .limit(1)
      .offset(sql.placeholder('others')),
  )
  return ({ touches, limits, now }, agent) => {
    if (touches.impact.length === 0) return undefined
    const others = limits.highImpactPerHourPerAgent - 1
    const first = permitBefore.get({ agent, since: now - HOUR_MS, others })
    return first && first.at + HOUR_MS
  }
}
