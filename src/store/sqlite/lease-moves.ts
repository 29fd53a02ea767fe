import type { Actor } from '../../audit/events.ts'
import type { EndCause, Lane } from '../../model/lease.ts'
import type { SelectorSubject } from '../../model/selector.ts'
import type { ActiveCounts } from './active-counts.ts'
import type { Tx } from './commit.ts'
import type { Db } from './database.ts'
import { and, eq, sql } from './drizzle.ts'
import { type Lineage, subjectsAbove } from './lineage.ts'
import { type LeaseRow, laneRank } from './rows.ts'
import { leases } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isEnding, isReservedOrActive } from './states.ts'

export interface Ending {
  readonly cause: EndCause
  readonly lane: Lane
  readonly actor: Actor
  readonly now: number
}

/** Moves of a lease that several transitions share; each runs inside the caller's transaction. */
export interface LeaseMoves {
  byId(id: string): LeaseRow | undefined
  /** Reserved or active → ending; false if it was already past that. */
  end(tx: Tx, lease: LeaseRow, ending: Ending): boolean
  /** Ends what is still reserved or active of one task. Returns how many. */
  endOfTask(tx: Tx, task: string, ending: Ending): number
  /** What selectors see of a lease. */
  subjectOf(lease: LeaseRow): SelectorSubject
}

export function leaseMoves(
  db: Db,
  { lineage, counts }: { readonly lineage: Lineage; readonly counts: ActiveCounts },
): LeaseMoves {
  const byId = prepared(
    db,
    db
      .select()
      .from(leases)
      .where(eq(leases.id, param('id'))),
  )
  // Index: leases_task.
  const live = prepared(
    db,
    db
      .select()
      .from(leases)
      .where(and(eq(leases.task, param('task')), isReservedOrActive)),
  )
  const toEnding = prepared(
    db,
    db
      .update(leases)
      .set({
        state: 'ending',
        containment: 'pending',
        cause: param('cause'),
        endingSince: param('now'),
        laneRank: param('lane'),
        dueAt: param('now'),
        attempts: 0,
      })
      .where(and(eq(leases.id, param('id')), isReservedOrActive)),
  )
  // A lease that is already ending may still be waiting in a slower lane.
  const hurry = prepared(
    db,
    db
      .update(leases)
      .set({ laneRank: param('lane'), dueAt: param('now') })
      .where(
        and(
          eq(leases.id, param('id')),
          isEnding,
          sql`${leases.laneRank} > ${sql.placeholder('lane')}`,
        ),
      ),
  )

  const moves: LeaseMoves = {
    byId: (id) => byId.get({ id }),
    end(tx, lease, { cause, lane, actor, now }) {
      const order = { id: lease.id, cause, lane: laneRank(lane), now }
      if (toEnding.run(order).changes === 0) {
        if (hurry.run(order).changes > 0) tx.nudge()
        return false
      }
      counts.moved(lease, -1)
      tx.event({
        type: 'lease.ending',
        actor,
        tenant: lease.tenant,
        task: lease.task,
        lease: lease.id,
        data: { cause, lane, from: lease.state },
      })
      tx.nudge()
      return true
    },
    endOfTask(tx, task, ending) {
      return live.all({ task }).filter((lease) => moves.end(tx, lease, ending)).length
    },
    subjectOf(lease) {
      const { id, task, agent, workload, tenant, issuer } = lease
      const { entitlement, provider, target, policyHash: policy_hash } = lease
      const request = { entitlement, provider, target, policy_hash }
      const above = subjectsAbove(lineage(task), request)
      return { lease: id, task, agent, workload, tenant, issuer, ...request, ...above }
    },
  }
  return moves
}
