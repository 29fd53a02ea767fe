import { LIVE_STATES } from '../../model/lease.ts'
import type { KillOrder } from '../store.ts'
import type { GroupCommit, Tx } from './commit.ts'
import type { Db } from './database.ts'
import { and, asc, eq, gt, sql } from './drizzle.ts'
import type { LeaseMoves } from './lease-moves.ts'
import { causeOf } from './minted.ts'
import { leaseWhere, taskWhere } from './named.ts'
import { type Reach, reachOf } from './reach.ts'
import { killOf, laneOf } from './rows.ts'
import { killLeases, kills, leases, tasks } from './schema.ts'
import { insertStatement, param, prepared } from './statement.ts'
import { isLive, isOpen } from './states.ts'
import type { EndTask } from './tasks.ts'

type KillRow = typeof kills.$inferSelect

const LIVE: ReadonlySet<string> = new Set(LIVE_STATES)
/** Matches looked up at once: each look passes over all that have their order already. */
const AHEAD = 5_000

/**
 * Gives what an open kill matches its order, a chunk at a time. Open kills take turns, so that one
 * of everything does not hold up one of a single lease that was ordered after it (P13).
 */
export function advancing({
  db,
  commit,
  moves,
  endTask,
}: {
  readonly db: Db
  readonly commit: GroupCommit
  readonly moves: LeaseMoves
  readonly endTask: EndTask
}): (tx: Tx, now: number, limit: number) => { more: boolean; moved: number } {
  // Index: kills_open.
  const openAfter = prepared(
    db,
    db
      .select()
      .from(kills)
      .where(and(sql`${kills.open} = 1`, gt(kills.seq, param('after'))))
      .orderBy(asc(kills.seq))
      .limit(1),
  )
  const reached = insertStatement(db, killLeases)
  let served = 0
  /** By kill: leases found to match that wait for their order. */
  const ahead = new Map<number, readonly string[]>()
  commit.onUndo(() => ahead.clear())

  return (tx, now, limit) => {
    const kill = openAfter.get({ after: served }) ?? openAfter.get({ after: 0 })
    if (!kill) return { more: false, moved: 0 }
    served = kill.seq
    const reach = reachOf(kill)
    if (reach.unreadable) {
      quarantine(tx, kill)
      return { more: true, moved: 0 }
    }
    const lane = laneOf(kill.laneRank) === 'end' ? 'end' : 'kill'
    const cause = causeOf(kill)
    const { orderedBy } = killOf(kill)
    const actor = orderedBy === '' ? 'mayfly' : (orderedBy as KillOrder['actor']) // it was one
    const ending = { cause, lane, actor, now } as const

    const { doomed, last } = leasesOf(kill, reach, limit)
    for (const lease of doomed) {
      moves.end(tx, lease, ending)
      reached({ killSeq: kill.seq, lease: lease.id })
    }
    const room = last ? limit - doomed.length : 0
    const open = kill.endsTasks === 0 ? [] : openTasks(kill, reach, room)
    const taskCause = cause === 'signal' ? 'signal' : 'killed'
    for (const task of open) endTask(tx, task.id, { ...ending, taskCause, outcome: null })

    if (open.length < room) {
      ahead.delete(kill.seq)
      db.update(kills).set({ open: 0 }).where(eq(kills.seq, kill.seq)).run()
    }
    tx.nudge()
    return { more: true, moved: doomed.length + open.length }
  }

  /** The next to get their order; `last`: none is left behind them. */
  function leasesOf(kill: KillRow, reach: Reach, limit: number) {
    let waiting = ahead.get(kill.seq) ?? []
    let last = false
    if (waiting.length <= limit) {
      const most = Math.max(AHEAD, limit + 1)
      waiting = matching(kill, reach, most)
      last = waiting.length <= limit
    }
    ahead.set(kill.seq, waiting.slice(limit))
    const rows = waiting.slice(0, limit).flatMap((id) => moves.byId(id) ?? [])
    // One may have ended since it was found.
    const doomed = rows.filter(({ state, endedAt }) => LIVE.has(state) && endedAt === null)
    return { doomed, last }
  }

  function matching({ seq }: KillRow, { selector, tenants }: Reach, most: number): string[] {
    const hasItsOrder = sql`exists (select 1 from kill_leases k where k.kill_seq = ${seq} and k.lease = ${leases.id})`
    const reservedBefore = sql`${leases.killSeq} < ${seq}`
    const where = and(
      leaseWhere(selector, tenants),
      isLive,
      reservedBefore,
      sql`not ${hasItsOrder}`,
    )
    const found = db.select({ id: leases.id }).from(leases).where(where).limit(most).all()
    return found.map(({ id }) => id)
  }

  function openTasks(kill: KillRow, { selector, tenants }: Reach, limit: number) {
    const where = taskWhere(selector, tenants)
    if (where === 'none' || limit === 0) return []
    const openedBefore = sql`${tasks.createdAt} <= ${killOf(kill).createdAt}`
    const matching = and(where, isOpen, openedBefore)
    return db.select({ id: tasks.id }).from(tasks).where(matching).limit(limit).all()
  }

  /** The kills after it must not wait; what it named is for whoever ordered it to order again. */
  function quarantine(tx: Tx, kill: KillRow): void {
    db.update(kills).set({ open: 0 }).where(eq(kills.seq, kill.seq)).run()
    const data = { kill: kill.id, error: 'this kill cannot be read; order it again' }
    tx.event({ type: 'kill.quarantined', actor: 'mayfly', data })
  }
}
