import type { Db } from './database.ts'
import { and, eq, sql } from './drizzle.ts'
import { leases } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isReservedOrActive } from './states.ts'

/**
 * How many leases of an agent are reserved or active. Counted once for each agent, then kept by the
 * transitions, because an issue must not walk all that its agent has. What is rolled back has to
 * be forgotten (`forget`), and is counted anew.
 */
export interface ActiveCounts {
  ofAgent(agent: string): number
  /** `by` 1: one was reserved; -1: one left both states. */
  moved(agent: string, by: 1 | -1): void
  forget(): void
}

export function activeCounts(db: Db): ActiveCounts {
  const known = new Map<string, number>()
  // Index: leases_agent.
  const count = prepared(
    db,
    db
      .select({ n: sql<number>`count(*)` })
      .from(leases)
      .where(and(eq(leases.agent, param('agent')), isReservedOrActive)),
  )
  return {
    ofAgent(agent) {
      const n = known.get(agent) ?? count.get({ agent })?.n ?? 0
      known.set(agent, n)
      return n
    },
    moved(agent, by) {
      const n = known.get(agent)
      if (n !== undefined) known.set(agent, n + by)
    },
    forget: () => known.clear(),
  }
}
