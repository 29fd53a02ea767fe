import type { Selector } from '../../model/selector.ts'
import type { Kill, KillCounts, KillOrder, KillStore } from '../store.ts'
import type { ApprovalMoves } from './approval-moves.ts'
import type { GroupCommit, Tx } from './commit.ts'
import type { Db } from './database.ts'
import { and, asc, eq, gt, isNull, or, sql } from './drizzle.ts'
import { takeBackRisk } from './false-alarm.ts'
import type { LeaseMoves } from './lease-moves.ts'
import { causeOf } from './minted.ts'
import { leaseWhere, taskWhere } from './named.ts'
import { beforeId, pageOf } from './paging.ts'
import { reachOf } from './reach.ts'
import { blockOf, jsonOrNull, killOf, laneOf, laneRank } from './rows.ts'
import { blocks, killLeases, kills, leases, tasks } from './schema.ts'
import type { Standing } from './standing.ts'
import { isLive, isOpen } from './states.ts'
import type { EndTask } from './tasks.ts'

/** Writes a kill and its block inside the caller's transaction; shared with signals. */
export type OrderKill = (tx: Tx, order: KillOrder) => Kill

interface Rooms {
  readonly db: Db
  readonly commit: GroupCommit
  readonly moves: LeaseMoves
  readonly approvals: Pick<ApprovalMoves, 'expireMatching'>
  readonly standing: Standing
  readonly endTask: EndTask
}

export function killStore(rooms: Rooms): KillStore & { readonly orderWithin: OrderKill } {
  const { db, commit, standing, approvals } = rooms
  const count = (selector: Selector, tenants: readonly string[] | null): KillCounts =>
    countMatches(db, selector, tenants)
  const advance = advancing(rooms)

  const orderWithin: OrderKill = (tx, order) => {
    const counts = count(order.selector, order.tenants)
    const selectorJson = JSON.stringify(order.selector)
    const tenantsJson = jsonOrNull(order.tenants)
    if (order.block) {
      db.insert(blocks)
        .values({
          id: order.block.id,
          selectorJson,
          tenantsJson,
          reason: order.reason,
          createdBy: order.actor,
          createdAt: order.now,
          expiresAt: order.block.expiresAt,
        })
        .run()
      const data = {
        block: order.block.id,
        selector: order.selector,
        ...(order.block.expiresAt === null
          ? {}
          : { expires_at: new Date(order.block.expiresAt).toISOString() }),
      }
      tx.event({ type: 'block.created', actor: order.actor, data })
    }
    const row = db
      .insert(kills)
      .values({
        id: order.id,
        selectorJson,
        tenantsJson,
        reason: order.reason,
        cause: order.cause,
        orderedBy: order.actor,
        createdAt: order.now,
        block: order.block?.id ?? null,
        signal: order.signal ?? null,
        endsTasks: order.endsTasks ? 1 : 0,
        laneRank: laneRank(order.lane),
        countsJson: JSON.stringify(counts),
        open: 1,
      })
      .returning()
      .get()
    const { selector, reason, cause } = order
    const data = { kill: order.id, selector, reason, cause, counts }
    tx.event({ type: 'kill.ordered', actor: order.actor, data })
    approvals.expireMatching(tx, order, order)
    tx.nudge()
    return killOf(row)
  }

  return {
    orderWithin,
    order: (order) => commit.run((tx) => orderWithin(tx, order)),
    count: async (selector, tenants) => count(selector, tenants),
    async advance(now, limit) {
      if (!standing.hasOpenKills()) return { more: false, moved: 0 }
      return await commit.run((tx) => advance(tx, now, limit))
    },
    async byId(id) {
      const row = db.select().from(kills).where(eq(kills.id, id)).get()
      return row && killOf(row)
    },
    async progress(id) {
      const rows = db
        .select({ containment: leases.containment, n: sql<number>`count(*)` })
        .from(kills)
        .innerJoin(killLeases, eq(killLeases.killSeq, kills.seq))
        .innerJoin(leases, eq(leases.id, killLeases.lease))
        .where(eq(kills.id, id))
        .groupBy(leases.containment)
        .all()
      const of = (containment: string) => rows.find((r) => r.containment === containment)?.n ?? 0
      return {
        ending: of('pending') + of('unknown'),
        proved: of('proved'),
        enforced: of('enforced'),
        expired: of('expired'),
      }
    },
    async blocks({ tenants, live, now }, page) {
      const where = [
        live ? blockIsLive(now) : undefined,
        beforeId(blocks.createdAt, blocks.id, page),
      ]
      const rows = pageOf(db, blocks, where, page).map(blockOf)
      return tenants === null ? rows : rows.filter((block) => within(block.tenants, tenants))
    },
    async blockById(id) {
      const row = db.select().from(blocks).where(eq(blocks.id, id)).get()
      return row && blockOf(row)
    },
    lift: ({ id, actor, now }) =>
      commit.run((tx) => {
        const row = db
          .update(blocks)
          .set({ liftedAt: now, liftedBy: actor })
          .where(and(eq(blocks.id, id), blockIsLive(now)))
          .returning()
          .get()
        if (!row) return undefined
        const block = blockOf(row)
        tx.event({ type: 'block.lifted', actor, data: { block: id, selector: block.selector } })
        takeBackRisk(db, tx, { block: id, actor, now })
        return block
      }),
    async liveBlocks(now) {
      return db.select().from(blocks).where(blockIsLive(now)).all().map(blockOf)
    },
  }
}

/** Gives the matches of the oldest open kill their order, a chunk at a time. */
function advancing({ db, moves, endTask }: Rooms) {
  return (tx: Tx, now: number, limit: number): { more: boolean; moved: number } => {
    // Index: kills_open.
    const kill = db
      .select()
      .from(kills)
      .where(sql`${kills.open} = 1`)
      .orderBy(asc(kills.seq))
      .limit(1)
      .get()
    if (!kill) return { more: false, moved: 0 }
    const { selector, tenants, unreadable } = reachOf(kill)
    if (unreadable) {
      quarantine(tx, kill)
      return { more: true, moved: 0 }
    }
    const lane = laneOf(kill.laneRank) === 'end' ? 'end' : 'kill'
    const cause = causeOf(kill)
    const ending = { cause, lane, actor: kill.orderedBy as KillOrder['actor'], now } as const

    const doomed = db
      .select()
      .from(leases)
      .where(
        and(
          leaseWhere(selector, tenants),
          isLive,
          sql`${leases.killSeq} < ${kill.seq}`,
          sql`not exists (select 1 from kill_leases k where k.kill_seq = ${kill.seq} and k.lease = ${leases.id})`,
        ),
      )
      .limit(limit)
      .all()
    for (const lease of doomed) {
      moves.end(tx, lease, ending)
      db.insert(killLeases)
        .values({ killSeq: kill.seq, lease: lease.id })
        .onConflictDoNothing()
        .run()
    }
    const room = limit - doomed.length
    const open = kill.endsTasks === 1 ? openTasks(selector, tenants, kill.createdAt, room) : []
    const taskCause = cause === 'signal' ? 'signal' : 'killed'
    for (const task of open) endTask(tx, task.id, { ...ending, taskCause, outcome: null })

    const moved = doomed.length + open.length
    if (moved < limit) db.update(kills).set({ open: 0 }).where(eq(kills.seq, kill.seq)).run()
    tx.nudge()
    return { more: true, moved }
  }

  /** The kills after it must not wait; what it named is for whoever ordered it to order again. */
  function quarantine(tx: Tx, kill: typeof kills.$inferSelect): void {
    db.update(kills).set({ open: 0 }).where(eq(kills.seq, kill.seq)).run()
    const data = { kill: kill.id, error: 'this kill cannot be read; order it again' }
    tx.event({ type: 'kill.quarantined', actor: 'mayfly', data })
  }

  function openTasks(
    selector: Selector,
    tenants: readonly string[] | null,
    before: number,
    limit: number,
  ) {
    const where = taskWhere(selector, tenants)
    if (where === 'none' || limit === 0) return []
    return db
      .select({ id: tasks.id })
      .from(tasks)
      .where(and(where, isOpen, sql`${tasks.createdAt} <= ${before}`))
      .limit(limit)
      .all()
  }
}

function countMatches(db: Db, selector: Selector, tenants: readonly string[] | null): KillCounts {
  const live = and(leaseWhere(selector, tenants), isLive)
  const ofLeases = db
    .select({
      leases: sql<number>`count(*)`,
      agents: sql<number>`count(distinct ${leases.agent})`,
      tasks: sql<number>`count(distinct ${leases.task})`,
    })
    .from(leases)
    .where(live)
    .get()
  const where = taskWhere(selector, tenants)
  const ofTasks =
    where === 'none'
      ? undefined
      : db
          .select({
            tasks: sql<number>`count(*)`,
            agents: sql<number>`count(distinct ${tasks.agent})`,
          })
          .from(tasks)
          .where(and(where, isOpen))
          .get()
  return {
    leases: ofLeases?.leases ?? 0,
    tasks: Math.max(ofLeases?.tasks ?? 0, ofTasks?.tasks ?? 0),
    agents: Math.max(ofLeases?.agents ?? 0, ofTasks?.agents ?? 0),
  }
}

function blockIsLive(now: number) {
  return and(isNull(blocks.liftedAt), or(isNull(blocks.expiresAt), gt(blocks.expiresAt, now)))
}

function within(tenants: readonly string[] | null, allowed: readonly string[]): boolean {
  return tenants?.every((tenant) => allowed.includes(tenant)) ?? false
}
