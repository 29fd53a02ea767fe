import type { SQL } from 'drizzle-orm'
import type { DriftPage, DriftPaged, DriftStore, QueuedEnding } from '../store.ts'
import type { GroupCommit } from './commit.ts'
import type { Db } from './database.ts'
import { and, asc, eq, gt, isNotNull, isNull, sql } from './drizzle.ts'
import type { LeaseMoves } from './lease-moves.ts'
import { queuedEnding } from './queued-ending.ts'
import { type LeaseRow, laneRank } from './rows.ts'
import { leases } from './schema.ts'
import { isActive, isContained, isNotEnded } from './states.ts'

const rowid = sql<number>`${leases}.rowid`

export function driftStore(rooms: {
  readonly db: Db
  readonly commit: GroupCommit
  readonly moves: LeaseMoves
}): DriftStore {
  const { db, commit, moves } = rooms

  return {
    async contained(provider, now, { after, limit }) {
      // Index: leases_contained, whose rows of one instant stand in the order of their rowid.
      const { latestPossibleExpiry } = leases
      const where = and(
        eq(leases.provider, provider),
        isContained,
        gt(latestPossibleExpiry, now),
        after && sql`(${latestPossibleExpiry}, ${rowid}) > (${after[0]}, ${after[1]})`,
      )
      return walk(where, [asc(latestPossibleExpiry), asc(rowid)], limit)
    },
    async active(provider, { after, limit }) {
      // Index: leases_live, whose rows of one provider stand in the order of their rowid.
      const where = and(
        eq(leases.provider, provider),
        isActive,
        isNotEnded,
        after && gt(rowid, after[1]),
      )
      return walk(where, [asc(rowid)], limit)
    },
    async holders(provider) {
      // Index: leases_slot.
      const where = and(eq(leases.provider, provider), isNotNull(leases.slot))
      const rows = db.select().from(leases).where(where).all()
      return new Map(
        rows.flatMap((row) => {
          const lease = queuedEnding(row)?.lease
          return lease && row.slot !== null ? [[row.slot, lease]] : []
        }),
      )
    },
    lose: ({ seen, what, until, actor, now }) =>
      commit.run((tx) => {
        const row = moves.byId(seen.id)
        if (!row || !isAs(row, seen)) return false
        const exposedUntil = Math.max(row.latestPossibleExpiry, until)
        const killed = row.cause === 'killed' || row.cause === 'signal'
        db.update(leases)
          .set({
            state: 'ending',
            // What had been refused once keeps its place in its group's document until it is dead.
            containment: row.containment === null ? 'pending' : 'unknown',
            proofJson: null,
            cause: row.cause ?? 'unknown-outcome',
            endingSince: row.endingSince ?? now,
            endedAt: null,
            latestPossibleExpiry: exposedUntil,
            exposedUntil,
            laneRank: laneRank(killed ? 'kill' : 'end'),
            dueAt: now,
            attempts: 0,
            lastError: null,
          })
          .where(eq(leases.id, row.id))
          .run()
        tx.event({
          type: 'lease.containment_lost',
          actor,
          tenant: row.tenant,
          task: row.task,
          lease: row.id,
          data: {
            state: row.state,
            ...(row.containment === null ? {} : { containment: row.containment }),
            seen: what,
            exposed_until: new Date(exposedUntil).toISOString(),
          },
        })
        tx.nudge()
        return true
      }),
    cleanAgain: (id, now) =>
      commit.run((tx) => {
        const { changes } = db
          .update(leases)
          .set({ laneRank: laneRank('cleanup'), dueAt: now, attempts: 0 })
          .where(and(eq(leases.id, id), eq(leases.state, 'ended'), isNull(leases.dueAt)))
          .run()
        if (changes > 0) tx.nudge()
        return changes > 0
      }),
  }

  function walk(where: SQL | undefined, order: SQL[], limit: number): DriftPaged {
    const rows = db
      .select({ row: leases, rowid })
      .from(leases)
      .where(where)
      .orderBy(...order)
      .limit(limit)
      .all()
    const last = rows.length === limit ? rows.at(-1) : undefined
    const next: DriftPage['after'] = last && [last.row.latestPossibleExpiry, last.rowid]
    return {
      leases: rows.map(({ row }) => queuedEnding(row)).filter((one) => one !== undefined),
      next,
    }
  }
}

/** Still what somebody judged: nothing moved it or landed since. */
function isAs(row: LeaseRow, seen: QueuedEnding['lease']): boolean {
  const same = row.state === seen.state && row.containment === seen.containment
  const loses = row.state === 'ended' || row.state === 'failed' || row.containment === 'enforced'
  return same && loses && (row.handleJson ?? 'null') === JSON.stringify(seen.handle)
}
