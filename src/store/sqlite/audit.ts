import type { Actor, AuditEvent, AuditType } from '../../audit/events.ts'
import type { AuditStore } from '../store.ts'
import type { GroupCommit } from './commit.ts'
import type { Db } from './database.ts'
import { and, asc, eq, gt, inArray, isNull, or, sql } from './drizzle.ts'
import { shown } from './legible.ts'
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
        filter.lease === undefined ? undefined : eq(audit.lease, filter.lease),
        filter.task === undefined ? undefined : ofTask(filter.task),
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

/** Indexes: audit_task_alone, audit_lease, leases_task. */
function ofTask(task: string) {
  const own = sql`(select ${leases.id} from ${leases} where ${leases.task} = ${task})`
  return or(
    and(eq(audit.task, task), isNull(audit.lease)),
    and(inArray(audit.lease, own), eq(audit.task, task)),
  )
}

/** Never throws: an event that cannot be read keeps its place, for whoever checks the chain (P12). */
export function eventOf(row: typeof audit.$inferSelect): AuditEvent {
  return shown(audit, row, readEvent)
}

function readEvent(row: typeof audit.$inferSelect): AuditEvent {
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
