import type { SQL } from 'drizzle-orm'
import type { LeaseId } from '../../ids.ts'
import { MINT_DEADLINE_MS } from '../../model/lifetime.ts'
import type { LeaseFilter, LeaseStore, MintFacts } from '../store.ts'
import { and, asc, eq, gt, inArray, lte, sql } from './drizzle.ts'
import { shown } from './legible.ts'
import { causeOf, type LeaseRooms, mintFacts } from './minted.ts'
import { leaseWhere } from './named.ts'
import { among, beforeId, pageOf } from './paging.ts'
import { renewals } from './renewals.ts'
import { type ReservedRows, reserving } from './reserving.ts'
import { type LeaseRow, leaseOf } from './rows.ts'
import { leases, tasks } from './schema.ts'
import { param, prepared } from './statement.ts'
import {
  isActive,
  isEnding,
  isLive,
  isNotEnded,
  isReserved,
  isReservedOrActive,
  isUnsettled,
} from './states.ts'

/** A mint under way for longer will not write down its own end any more. */
const STRANDED_MS = 3 * MINT_DEADLINE_MS

export function leaseStore(rooms: LeaseRooms): LeaseStore {
  const { db, commit, moves, counts, standing, restoredAt } = rooms
  const reserved: ReservedRows = new Map()
  commit.onUndo(() => reserved.clear())
  const reserve = reserving(rooms, reserved)
  const learn = mintFacts(db)
  const { settleOwed, ...renewing } = renewals(rooms, learn)
  const toActive = prepared(
    db,
    db
      .update(leases)
      .set({
        state: 'active',
        expiresAt: param('expiresAt'),
        nativeExpiresAt: param('nativeExpiresAt'),
        latestPossibleExpiry: param('latestPossibleExpiry'),
        exposedUntil: param('exposedUntil'),
        handleJson: param('handleJson'),
      })
      .where(and(eq(leases.id, param('id')), isReserved)),
  )
  const toFailed = prepared(
    db,
    db
      .update(leases)
      .set({ state: 'failed', lastError: param('error'), endedAt: param('now'), slot: null })
      .where(and(eq(leases.id, param('id')), isReserved)),
  )
  const noteError = prepared(
    db,
    db
      .update(leases)
      .set({ lastError: param('error') })
      .where(eq(leases.id, param('id'))),
  )
  // Index: leases_expiry.
  const expired = prepared(
    db,
    db
      .select()
      .from(leases)
      .where(and(isActive, lte(leases.expiresAt, param('latest'))))
      .orderBy(asc(leases.expiresAt))
      .limit(sql.placeholder('limit')),
  )

  const idsOf = (where: SQL | undefined): LeaseId[] => {
    const rows = db
      .select({ id: leases.id })
      .from(leases)
      .where(and(where, isReservedOrActive))
      .all()
    return rows.map(({ id }) => id as LeaseId) // made in one place, and the key of this row
  }

  return {
    reserve: (order) => commit.run((tx) => reserve(tx, order)),
    activate: (id, facts, now) =>
      commit.run((tx) => {
        const row = reserved.get(id) ?? moves.byId(id)
        reserved.delete(id)
        const kill = row && standing.killSince(row.killSeq, () => moves.subjectOf(row))
        const minted = mintedOf(facts)
        if (row && !kill && toActive.run({ id, ...minted }).changes > 0) {
          tx.event(activated(row, facts))
          return { ok: true, lease: leaseOf({ ...row, state: 'active', ...minted }) }
        }
        const before = learn(tx, { id, to: 'mint', facts, now })
        if (kill)
          moves.end(tx, before, { cause: causeOf(kill), lane: 'kill', actor: 'mayfly', now })
        tx.nudge()
        return { ok: false, lease: leaseOf(moves.byId(id) ?? before) }
      }),
    fail: (id, error, now) =>
      commit.run((tx) => {
        reserved.delete(id)
        const row = moves.byId(id)
        if (!row || toFailed.run({ id, error, now }).changes === 0) return
        const { tenant, task } = row
        counts.moved(row, -1)
        tx.event({
          type: 'lease.failed',
          actor: 'mayfly',
          tenant,
          task,
          lease: id,
          data: { error },
        })
      }),
    unknownOutcome: (id, error, now) =>
      commit.run((tx) => {
        reserved.delete(id)
        const row = moves.byId(id)
        if (!row) return
        noteError.run({ id, error })
        moves.end(tx, row, { cause: 'unknown-outcome', lane: 'end', actor: 'mayfly', now })
      }),
    end: ({ id, cause, lane, actor, now }) =>
      commit.run((tx) => {
        const row = moves.byId(id)
        if (!row || !moves.end(tx, row, { cause, lane, actor, now })) return undefined
        const after = moves.byId(id)
        return after && shown(leases, after, leaseOf)
      }),
    expire: ({ latest, now, limit }) =>
      commit.run((tx) => {
        const rows = expired.all({ latest, limit })
        const ending = { cause: 'expired', lane: 'expiry', actor: 'mayfly', now } as const
        for (const row of rows) moves.end(tx, row, ending)
        return rows.length
      }),
    async nextExpiry() {
      const first = db
        .select({ at: leases.expiresAt })
        .from(leases)
        .where(isActive)
        .orderBy(asc(leases.expiresAt))
        .limit(1)
      return first.get()?.at
    },
    settleAfterRestart: (now, limit) =>
      commit.run((tx) => {
        // Index: leases_unsettled. A lost renewal leaves a working lease; a lost mint must be chased.
        const rows = db.select().from(leases).where(isUnsettled).limit(limit).all()
        const ending = { cause: 'unknown-outcome', lane: 'end', actor: 'mayfly', now } as const
        for (const row of rows) {
          if (row.state === 'reserved') moves.end(tx, row, ending)
          else db.update(leases).set({ renewing: 0 }).where(eq(leases.id, row.id)).run()
        }
        return rows.length
      }),
    settleStranded: async (now, limit) => {
      const owed = await settleOwed(limit)
      // Index: leases_unsettled, which the + keeps from losing against the much longer leases_created.
      const old = sql`+${leases.createdAt} <= ${now - STRANDED_MS}`
      const rows = db
        .select()
        .from(leases)
        .where(and(isUnsettled, isReserved, old))
        .limit(limit)
        .all()
      if (rows.length === 0) return owed
      await commit.run((tx) => {
        const ending = { cause: 'unknown-outcome', lane: 'end', actor: 'mayfly', now } as const
        for (const row of rows) moves.end(tx, row, ending)
      })
      return owed + rows.length
    },
    ...renewing,
    async byId(id) {
      const row = moves.byId(id)
      return row && leaseOf(row)
    },
    async shown(id) {
      const row = moves.byId(id)
      return row && shown(leases, row, leaseOf)
    },
    async honoured(id) {
      const row = moves.byId(id)
      if (row?.state !== 'active') return undefined
      // It may have been ended since this database was copied.
      if (restoredAt !== undefined && row.createdAt <= restoredAt) return undefined
      const kill = standing.killSince(row.killSeq, () => moves.subjectOf(row))
      return kill === undefined ? leaseOf(row) : undefined
    },
    async orderOf(id) {
      const row = moves.byId(id)
      return row && { intent: JSON.parse(row.intentJson), targetSpec: JSON.parse(row.targetJson) }
    },
    async list(filter, page) {
      const where = [...conditions(filter), beforeId(leases.createdAt, leases.id, page)]
      return pageOf(db, leases, where, page).map((row) => shown(leases, row, leaseOf))
    },
    async endedOfTask(task, since) {
      // Index: leases_task.
      const where = and(
        eq(leases.task, task),
        inArray(leases.state, ['ending', 'ended']),
        gt(leases.endingSince, since),
      )
      return db.select().from(leases).where(where).limit(100).all().map(leaseOf)
    },
    async activeClasses() {
      const { agent, entitlement } = leases
      return db
        .select({ agent, entitlement, count: sql<number>`count(*)` })
        .from(leases)
        .where(and(isLive, isReservedOrActive))
        .groupBy(agent, entitlement)
        .all()
    },
    async activeOfClass(agent, entitlement) {
      return idsOf(and(eq(leases.agent, agent), eq(leases.entitlement, entitlement)))
    },
    async activeNamed(selector) {
      return idsOf(leaseWhere(selector, null))
    },
    async countActive({ agent, task, entitlement }) {
      if (task !== undefined) return counts.ofTask(task)
      const where = and(
        isReservedOrActive,
        agent === undefined ? undefined : eq(leases.agent, agent),
        entitlement === undefined ? undefined : eq(leases.entitlement, entitlement),
      )
      return db.select({ n: sql<number>`count(*)` }).from(leases).where(where).get()?.n ?? 0
    },
  }
}

function mintedOf({ expiresAt, nativeExpiresAt, latestPossibleExpiry, handle }: MintFacts) {
  return {
    expiresAt,
    nativeExpiresAt,
    latestPossibleExpiry,
    exposedUntil: nativeExpiresAt,
    handleJson: JSON.stringify(handle),
  }
}

function activated(row: LeaseRow, facts: MintFacts) {
  return {
    type: 'lease.activated',
    actor: 'mayfly',
    tenant: row.tenant,
    task: row.task,
    lease: row.id,
    data: {
      expires_at: new Date(facts.expiresAt).toISOString(),
      native_expires_at: new Date(facts.nativeExpiresAt).toISOString(),
    },
  } as const
}

const STATE_IS = {
  reserved: and(isReserved, isNotEnded),
  active: and(isActive, isNotEnded),
  ending: and(isEnding, isNotEnded),
  ended: sql`${leases.state} = 'ended'`,
  failed: sql`${leases.state} = 'failed'`,
}

/** Indexes: leases_agent for what has not ended; else tasks_agent and leases_task. */
function ofAgent(agent: string, state: LeaseFilter['state']) {
  const all = state === undefined || state === 'ended' || state === 'failed'
  const own = sql`(select ${tasks.id} from ${tasks} where ${tasks.agent} = ${agent})`
  return all ? inArray(leases.task, own) : eq(leases.agent, agent)
}

function conditions(filter: LeaseFilter) {
  return [
    among(leases.tenant, filter.tenants),
    filter.state === undefined
      ? undefined
      : filter.state === 'live'
        ? isLive
        : STATE_IS[filter.state],
    filter.agent === undefined ? undefined : ofAgent(filter.agent, filter.state),
    filter.task === undefined ? undefined : eq(leases.task, filter.task),
    filter.tenant === undefined ? undefined : eq(leases.tenant, filter.tenant),
    filter.entitlement === undefined ? undefined : eq(leases.entitlement, filter.entitlement),
    filter.provider === undefined ? undefined : eq(leases.provider, filter.provider),
  ]
}
