import type { Kill, KillOrder, KillStore } from '../store.ts'
import { advancing } from './advancing.ts'
import type { ApprovalMoves } from './approval-moves.ts'
import { countMatches, radiusOf } from './blast-radius.ts'
import type { GroupCommit, Tx } from './commit.ts'
import type { Db } from './database.ts'
import { and, eq, gt, isNull, or } from './drizzle.ts'
import { takeBackRisk } from './false-alarm.ts'
import { killProgress } from './kill-progress.ts'
import type { LeaseMoves } from './lease-moves.ts'
import { beforeId, pageOf } from './paging.ts'
import { blockOf, jsonOrNull, killOf, laneRank } from './rows.ts'
import { blocks, kills } from './schema.ts'
import type { Standing } from './standing.ts'
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
  const advance = advancing(rooms)

  const orderWithin: OrderKill = (tx, order) => {
    const counts = countMatches(db, order.selector, order.tenants)
    const selectorJson = JSON.stringify(order.selector)
    const tenantsJson = jsonOrNull(order.tenants)
    const { selector, tenants } = order
    const whom = tenants === null ? { selector } : { selector, tenants }
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
        ...whom,
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
    const { reason, cause } = order
    const data = { kill: order.id, ...whom, reason, cause, counts }
    tx.event({ type: 'kill.ordered', actor: order.actor, data })
    approvals.expireMatching(tx, order, order)
    tx.nudge()
    return killOf(row)
  }

  return {
    orderWithin,
    order: (order) => commit.run((tx) => orderWithin(tx, order)),
    count: async (selector, tenants) => countMatches(db, selector, tenants),
    blastRadius: async (selector, tenants, limit) => radiusOf(db, { selector, tenants, limit }),
    async advance(now, limit) {
      if (!standing.hasOpenKills()) return { more: false, moved: 0 }
      return await commit.run((tx) => advance(tx, now, limit))
    },
    async byId(id) {
      const row = db.select().from(kills).where(eq(kills.id, id)).get()
      return row && killOf(row)
    },
    async list(page) {
      // Index: kills_created.
      const where = [beforeId(kills.createdAt, kills.id, page)]
      return pageOf(db, kills, where, page).map(killOf)
    },
    progress: async (id) => killProgress(db, id),
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
        tx.nudge()
        return block
      }),
    async liveBlocks(now) {
      return db.select().from(blocks).where(blockIsLive(now)).all().map(blockOf)
    },
  }
}

function blockIsLive(now: number) {
  return and(isNull(blocks.liftedAt), or(isNull(blocks.expiresAt), gt(blocks.expiresAt, now)))
}

function within(tenants: readonly string[] | null, allowed: readonly string[]): boolean {
  return tenants?.every((tenant) => allowed.includes(tenant)) ?? false
}
