import { MINT_DEADLINE_MS } from '../../model/lifetime.ts'
import type { LeaseStore, MintFacts } from '../store.ts'
import { and, asc, eq, lte, sql } from './drizzle.ts'
import { leaseReads } from './lease-reads.ts'
import { shown } from './legible.ts'
import { causeOf, type LeaseRooms, mintFacts } from './minted.ts'
import { renewals } from './renewals.ts'
import { type ReservedRows, reserving } from './reserving.ts'
import { type LeaseRow, leaseOf } from './rows.ts'
import { leases } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isActive, isReserved, isUnsettled } from './states.ts'

/** A mint under way for longer will not write down its own end any more. */
const STRANDED_MS = 3 * MINT_DEADLINE_MS

export function leaseStore(rooms: LeaseRooms): LeaseStore {
  const { db, commit, moves, counts, standing } = rooms
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
    ...leaseReads(rooms),
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
