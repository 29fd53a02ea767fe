import type { AuditType } from '../../audit/events.ts'
import type { LeaseId } from '../../ids.ts'
import { CONTAINMENTS, type EndCause } from '../../model/lease.ts'
import type { AuditPlace, KilledLease, ReceiptStore } from '../store.ts'
import { eventOf } from './audit.ts'
import type { Db } from './database.ts'
import { and, asc, desc, eq, gt, gte, lte, sql } from './drizzle.ts'
import { LEASE_STATES, shown } from './legible.ts'
import { leaseOf } from './rows.ts'
import { audit, killLeases, kills, leases } from './schema.ts'
import { LATEST, storedInstant } from './stored-json.ts'

/** An order's event is committed moments after its time; further than this nobody looks for it. */
const EVENTS_TO_ORDER = 10_000

/** Reads what receipts state. No `await` in between: each answer is of one moment. */
export function receiptStore(db: Db): ReceiptStore {
  return {
    async ofLease(id) {
      const row = db.select().from(leases).where(eq(leases.id, id)).get()
      if (!row) return undefined
      const ordered = row.endingSince === null ? undefined : lastOf(id, 'lease.ending')
      return { lease: shown(leases, row, leaseOf), ordered, last: lastOf(id) }
    },
    async orderOfKill({ id, createdAt }) {
      const first = firstSince(createdAt)
      const row = db
        .select()
        .from(audit)
        .where(
          and(
            gte(audit.seq, first),
            lte(audit.seq, first + EVENTS_TO_ORDER),
            eq(audit.type, 'kill.ordered'),
            sql`case when json_valid(${audit.dataJson}) then json_extract(${audit.dataJson}, '$.kill') end = ${id}`,
          ),
        )
        .orderBy(asc(audit.seq))
        .limit(1)
        .get()
      return row && placeOf(row)
    },
    async leasesOfKill(id, page) {
      // Indexes: kills_id, kill_leases_key, and the leases' own.
      return db
        .select({
          id: leases.id,
          state: leases.state,
          containment: leases.containment,
          proofJson: leases.proofJson,
          cause: leases.cause,
          exposedUntil: leases.exposedUntil,
          endedAt: leases.endedAt,
        })
        .from(killLeases)
        .innerJoin(leases, eq(leases.id, killLeases.lease))
        .where(
          and(
            eq(
              killLeases.killSeq,
              sql`(select ${kills.seq} from ${kills} where ${kills.id} = ${id})`,
            ),
            page.after === undefined ? undefined : gt(killLeases.lease, page.after),
          ),
        )
        .orderBy(asc(killLeases.lease))
        .limit(page.limit)
        .all()
        .map(killedOf)
    },
  }

  // Index: audit_lease.
  function lastOf(id: LeaseId, type?: AuditType): AuditPlace | undefined {
    const row = db
      .select()
      .from(audit)
      .where(and(eq(audit.lease, id), type === undefined ? undefined : eq(audit.type, type)))
      .orderBy(desc(audit.seq))
      .limit(1)
      .get()
    return row && placeOf(row)
  }

  /** The first event of this instant or later: numbers have no gaps, and times never go back. */
  function firstSince(at: number): number {
    const head =
      db
        .select({ seq: sql<number>`max(${audit.seq})` })
        .from(audit)
        .get()?.seq ?? 0
    let [from, to] = [1, head + 1]
    while (from < to) {
      const middle = Math.floor((from + to) / 2)
      const row = db
        .select({ at: audit.at })
        .from(audit)
        .where(and(gte(audit.seq, middle), sql`typeof(${audit.at}) = 'integer'`))
        .orderBy(asc(audit.seq))
        .limit(1)
        .get()
      if (row !== undefined && row.at < at) from = middle + 1
      else to = middle
    }
    return from
  }
}

function placeOf(row: typeof audit.$inferSelect): AuditPlace {
  const { seq, hash, at, actor } = eventOf(row)
  return { seq, hash, at, actor }
}

/** What cannot be read is told as the worst it can be: nobody knows how far that lease has come. */
function killedOf(row: {
  id: string
  state: string
  containment: string | null
  proofJson: string | null
  cause: string | null
  exposedUntil: number
  endedAt: number | null
}): KilledLease {
  const exposedUntil = storedInstant(row.exposedUntil)
  const endedAt = row.endedAt === null ? null : storedInstant(row.endedAt)
  const state = LEASE_STATES.find((one) => one === row.state)
  const containment =
    row.containment === null ? null : CONTAINMENTS.find((one) => one === row.containment)
  const id = row.id as LeaseId // as this store wrote it
  const cause = row.cause as EndCause | null // likewise
  if (
    exposedUntil === undefined ||
    endedAt === undefined ||
    state === undefined ||
    containment === undefined
  ) {
    const unknown = { state: 'ending', containment: 'unknown', proof: null, endedAt: null } as const
    return { id, cause, ...unknown, exposedUntil: exposedUntil ?? LATEST }
  }
  return { id, state, containment, cause, proof: proofOf(row.proofJson), exposedUntil, endedAt }
}

/** One that cannot be read is left out, so that the other leases of the kill are told. */
function proofOf(text: string | null): KilledLease['proof'] {
  if (text === null) return null
  try {
    return JSON.parse(text) as KilledLease['proof'] // likewise
  } catch {
    return null
  }
}
