import type { Actor, AuditEvent, AuditType } from '../../audit/events.ts'
import type { AuditStore } from '../store.ts'
import type { GroupCommit } from './commit.ts'
import type { Db } from './database.ts'
import { and, asc, eq, gt, isNull, or, sql } from './drizzle.ts'
import { among } from './paging.ts'
import { audit, leases } from './schema.ts'

export function auditStore(db: Db, commit: GroupCommit): AuditStore {
  return {
    append: (events) =>
      commit.run((tx) => {
        for (const event of events) tx.event(event)
      }),
    head: async () => commit.head,
    async read(after, limit, filter = {}) {
      const where = and(
        gt(audit.seq, after),
        filter.tenants === undefined ? undefined : among(audit.tenant, filter.tenants),
        filter.lease === undefined ? undefined : ofLease(filter.lease),
        filter.task === undefined ? undefined : eq(audit.task, filter.task),
      )
      return db
        .select()
        .from(audit)
        .where(where)
        .orderBy(asc(audit.seq))
        .limit(limit)
        .all()
        .map(eventOf)
    },
  }
}

/** Indexes: audit_task, audit_lease_alone. Every random place in the log costs a page per commit. */
export function ofLease(lease: string) {
  const task = sql`(select ${leases.task} from ${leases} where ${leases.id} = ${lease})`
  return or(
    and(eq(audit.task, task), eq(audit.lease, lease)),
    and(isNull(audit.task), eq(audit.lease, lease)),
  )
}

export function eventOf(row: typeof audit.$inferSelect): AuditEvent {
  return {
    seq: row.seq,
    at: new Date(row.at).toISOString(),
    type: row.type as AuditType, // written by this store from the catalogue
    actor: row.actor as Actor, // likewise
    ...(row.tenant === null ? {} : { tenant: row.tenant }),
    ...(row.task === null ? {} : { task: row.task }),
    ...(row.lease === null ? {} : { lease: row.lease }),
    data: JSON.parse(row.dataJson),
    prev: row.prev,
    hash: row.hash,
  }
}
