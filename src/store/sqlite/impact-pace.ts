import type { Act, Reservation } from '../store.ts'
import type { Db } from './database.ts'
import { and, desc, eq, gt, isNotNull, sql } from './drizzle.ts'
import { impactActs, impactInName, leases } from './schema.ts'
import { insertStatement, param, prepared } from './statement.ts'

const HOUR_MS = 3_600_000

/** How fast agents get what the strictest checks are kept for. */
export interface ImpactPace {
  /**
   * When agents one of which has had its high-impact permits of this hour may have the next;
   * undefined: they may now. An agent acts faster than its supervisor: however many tasks it opens,
   * through however many others, and whatever was given back already, this is how fast it can do
   * what the strictest checks are kept for. A replaced request counts, because what it got may have
   * been used; a failed one got nothing.
   */
  reached(order: Paced, agents: readonly string[]): number | undefined
  /** Counts a reserved lease for those in whose name its agent holds it. */
  countFor(order: Reservation, agents: readonly string[]): void
  /** Counts a permit at action time for the agent that acts and those in whose name. */
  countAct(act: Act, agents: readonly string[]): void
}

type Paced = Pick<Reservation, 'touches' | 'now'> & {
  readonly limits: Pick<Reservation['limits'], 'highImpactPerHourPerAgent'>
}

export function impactPace(db: Db): ImpactPace {
  const since = param('since')
  const most = sql.placeholder('most')
  // Index: leases_high_impact, no more rows than an agent may have in an hour.
  const ownPermits = prepared(
    db,
    db
      .select({ at: leases.createdAt })
      .from(leases)
      .where(
        and(
          eq(leases.agent, param('agent')),
          isNotNull(leases.impactJson),
          gt(leases.createdAt, since),
          isNotFailed,
        ),
      )
      .orderBy(desc(leases.createdAt))
      .limit(most),
  )
  // Index: impact_in_name_agent, likewise.
  const permitsInName = prepared(
    db,
    db
      .select({ at: impactInName.at })
      .from(impactInName)
      .innerJoin(leases, eq(leases.id, impactInName.lease))
      .where(and(eq(impactInName.agent, param('agent')), gt(impactInName.at, since), isNotFailed))
      .orderBy(desc(impactInName.at))
      .limit(most),
  )
  // Index: impact_acts_agent, likewise.
  const permittedActs = prepared(
    db,
    db
      .select({ at: impactActs.at })
      .from(impactActs)
      .where(and(eq(impactActs.agent, param('agent')), gt(impactActs.at, since)))
      .orderBy(desc(impactActs.at))
      .limit(most),
  )
  const insert = insertStatement(db, impactInName)
  const insertAct = insertStatement(db, impactActs)

  return {
    reached({ touches, limits, now }, agents) {
      if (touches.impact.length === 0) return undefined
      const most = limits.highImpactPerHourPerAgent
      const next = agents.flatMap((agent) => {
        const asked = { agent, since: now - HOUR_MS, most }
        const leased = [...ownPermits.all(asked), ...permitsInName.all(asked)]
        const permits = [...leased, ...permittedActs.all(asked)]
        const first = permits.toSorted((a, b) => b.at - a.at)[most - 1]
        return first === undefined ? [] : [first.at + HOUR_MS]
      })
      return next.length === 0 ? undefined : Math.max(...next)
    },
    countFor({ id, touches, now }, agents) {
      if (touches.impact.length === 0) return
      for (const agent of agents) insert({ agent, lease: id, at: now })
    },
    countAct({ decision, touches, now }, agents) {
      if (touches.impact.length === 0) return
      for (const agent of agents) insertAct({ agent, decision: decision.id, at: now })
    },
  }
}

/** What a refusal says of it, in words. */
export function paceReason(
  { limits }: Paced,
  { planners, retryAt }: { readonly planners: readonly string[]; readonly retryAt: number },
): string {
  const who = planners.length === 0 ? 'the agent' : 'the agent, or one it works for,'
  const next = new Date(retryAt).toISOString()
  return `${who} had ${limits.highImpactPerHourPerAgent} permits of high impact within an hour; the next from ${next}`
}

const isNotFailed = sql`${leases.state} <> 'failed'`
