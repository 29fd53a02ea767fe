import type { EndingStore, QueuedEnding } from '../store.ts'
import type { GroupCommit, Tx } from './commit.ts'
import type { Db } from './database.ts'
import { and, eq, gt, inArray, isNotNull, sql } from './drizzle.ts'
import { groupUse } from './group-use.ts'
import type { LeaseMoves } from './lease-moves.ts'
import { shown } from './legible.ts'
import { among, beforeId, pageOf } from './paging.ts'
import { nameOnly, queuedEnding } from './queued-ending.ts'
import { type LeaseRow, laneOf, laneRank, leaseOf } from './rows.ts'
import { runningOut } from './running-out.ts'
import { leases } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isEnding, isOwed } from './states.ts'
import { storedJson } from './stored-json.ts'
import { dueInTurn } from './turns.ts'

/** A row nobody can read waits this long before it is looked at again. */
const QUARANTINE_MS = 3_600_000
/** A renewal under way may still land: its lease is not proved to have ended before. */
const RENEWAL_IN_FLIGHT_MS = 1_000

export function endingStore(rooms: {
  readonly db: Db
  readonly commit: GroupCommit
  readonly moves: LeaseMoves
}): EndingStore {
  const { db, commit, moves } = rooms
  const claim = dueInTurn(db)
  const update = updates(db)
  // Index: leases_due; one row per provider.
  const firstDue = prepared(
    db,
    db
      .select({ provider: leases.provider, at: sql<number>`min(${leases.dueAt})` })
      .from(leases)
      .where(isNotNull(leases.dueAt))
      .groupBy(leases.provider),
  )
  // Index: leases_owed.
  const owed = prepared(
    db,
    db
      .select({
        provider: leases.provider,
        count: sql<number>`count(*)`,
        oldest: sql<number>`min(${leases.endingSince})`,
      })
      .from(leases)
      .where(isOwed)
      .groupBy(leases.provider),
  )

  return {
    ...runningOut(rooms),
    async due(provider, now, limit) {
      const { read, unreadable } = readAll(claim(provider, now, limit))
      if (unreadable.length > 0) await commit.run((tx) => quarantine(tx, unreadable, now))
      return read
    },
    async nextDue() {
      return new Map(firstDue.all().map((row) => [row.provider, row.at]))
    },
    async stillRefused(group, but, now) {
      // Index: leases_group.
      const where = and(
        eq(leases.groupKey, group),
        inArray(leases.containment, ['enforced', 'proved', 'unknown']),
        gt(leases.latestPossibleExpiry, now),
        inArray(leases.state, ['ending', 'ended']),
      )
      const rows = db.select().from(leases).where(where).all()
      const others = rows.filter((row) => !but.some((id) => id === row.id))
      return others.map((row) => queuedEnding(row) ?? nameOnly(row))
    },
    groupUse: async (group, now) => groupUse(db, group, now),
    contained: (order) =>
      commit.run((tx) => {
        const { id, proof, now } = order
        const row = moves.byId(id)
        if (row?.state !== 'ending') return
        // Something landed while the upstream was asked: the attempt did not know of it.
        if (JSON.stringify(order.handle) !== (row.handleJson ?? 'null')) return
        const inFlight = order.containment === 'proved' && row.renewing === 1
        const containment = inFlight ? 'enforced' : order.containment
        const exposedUntil = inFlight ? row.exposedUntil : order.exposedUntil
        const nextDue = inFlight ? now + RENEWAL_IN_FLIGHT_MS : order.nextDue
        const proved = containment === 'proved'
        const keepsSlot = proved && row.slot !== null
        const due = keepsSlot ? row.latestPossibleExpiry : proved ? null : nextDue
        update.contained.run({
          id,
          containment,
          exposedUntil,
          proof: proved && proof !== undefined ? JSON.stringify(proof) : null,
          state: proved ? 'ended' : 'ending',
          endedAt: proved ? now : null,
          lane: keepsSlot ? laneRank('cleanup') : row.laneRank,
          due,
          attempted: proved ? 0 : 1,
          capacity: order.sharesPlace ? null : row.groupCapacity,
        })
        const about = { actor: 'mayfly', tenant: row.tenant, task: row.task, lease: id } as const
        const until = new Date(exposedUntil).toISOString()
        const data = { containment, exposed_until: until, ...(proved && proof ? { proof } : {}) }
        if (proved) tx.event({ type: 'lease.ended', ...about, data })
        else if (row.containment !== containment) {
          tx.event({ type: 'lease.contained', ...about, data })
        }
        if (due !== null) tx.nudge()
      }),
    postponed: ({ id, error, nextDue, counts }) =>
      commit.run((tx) => {
        update.postponed.run({ id, error, due: nextDue, add: counts === 'attempt' ? 1 : 0 })
        tx.nudge()
      }),
    released: (id, _now) =>
      commit.run((tx) => {
        const row = moves.byId(id)
        if (row?.state !== 'ended') return
        update.released.run({ id })
        tx.event({
          type: 'lease.released',
          actor: 'mayfly',
          tenant: row.tenant,
          task: row.task,
          lease: id,
          data: row.slot === null ? {} : { slot: row.slot },
        })
      }),
    retryNow: ({ lease, provider, tenants }, actor, now) =>
      commit.run((tx) => {
        const where = and(
          isNotNull(leases.dueAt),
          isEnding,
          lease === undefined ? undefined : eq(leases.id, lease),
          provider === undefined ? undefined : eq(leases.provider, provider),
          among(leases.tenant, tenants),
        )
        const { changes } = db.update(leases).set({ dueAt: now }).where(where).run()
        if (changes > 0) {
          const data = { endings: changes, ...(provider === undefined ? {} : { provider }) }
          tx.event({ type: 'ending.retried', actor, ...(lease ? { lease } : {}), data })
          tx.nudge()
        }
        return changes
      }),
    async list({ tenants, provider }, page) {
      const where = [
        isEnding,
        among(leases.tenant, tenants),
        provider === undefined ? undefined : eq(leases.provider, provider),
        beforeId(leases.createdAt, leases.id, page),
      ]
      return pageOf(db, leases, where, page).map((row) => ({
        lease: shown(leases, row, leaseOf),
        lane: laneOf(row.laneRank) ?? 'cleanup',
        targetSpec: storedJson(row.targetJson),
        groupCapacity: row.groupCapacity,
      }))
    },
    async owed() {
      return owed.all()
    },
  }

  function quarantine(tx: Tx, rows: readonly LeaseRow[], now: number): void {
    for (const row of rows) {
      const error = 'this row cannot be read; it is looked at again every hour'
      update.postponed.run({ id: row.id, error, due: now + QUARANTINE_MS, add: 1 })
      const { id: lease, tenant, task } = row
      tx.event({ type: 'lease.quarantined', actor: 'mayfly', tenant, task, lease, data: { error } })
    }
  }
}

function readAll(rows: readonly LeaseRow[]): { read: QueuedEnding[]; unreadable: LeaseRow[] } {
  const endings = rows.map(queuedEnding)
  return {
    read: endings.filter((ending) => ending !== undefined),
    unreadable: rows.filter((_, at) => endings[at] === undefined),
  }
}

function updates(db: Db) {
  const byId = eq(leases.id, param('id'))
  return {
    contained: prepared(
      db,
      db
        .update(leases)
        .set({
          state: param('state'),
          containment: param('containment'),
          exposedUntil: param('exposedUntil'),
          proofJson: param('proof'),
          endedAt: param('endedAt'),
          laneRank: param('lane'),
          dueAt: param('due'),
          attempts: sql`${leases.attempts} + ${sql.placeholder('attempted')}`,
          lastError: null,
          groupCapacity: param('capacity'),
        })
        .where(byId),
    ),
    postponed: prepared(
      db,
      db
        .update(leases)
        .set({
          dueAt: param('due'),
          lastError: param('error'),
          attempts: sql`${leases.attempts} + ${sql.placeholder('add')}`,
        })
        .where(and(byId, isNotNull(leases.dueAt))),
    ),
    released: prepared(
      db,
      db.update(leases).set({ dueAt: null, slot: null, lastError: null }).where(byId),
    ),
  }
}
