import type { SQL } from 'drizzle-orm'
import type { LeaseId } from '../../ids.ts'
import type { LeaseFilter, LeaseStore } from '../store.ts'
import { and, eq, gt, inArray, sql } from './drizzle.ts'
import { shown } from './legible.ts'
import type { LeaseRooms } from './minted.ts'
import { leaseWhere } from './named.ts'
import { among, beforeId, pageOf } from './paging.ts'
import { leaseOf } from './rows.ts'
import { leases, tasks } from './schema.ts'
import { isActive, isEnding, isLive, isNotEnded, isReserved, isReservedOrActive } from './states.ts'

type LeaseReads = Pick<
  LeaseStore,
  | 'byId'
  | 'shown'
  | 'honoured'
  | 'orderOf'
  | 'list'
  | 'endedOfTask'
  | 'activeClasses'
  | 'activeOfClass'
  | 'activeNamed'
  | 'countActive'
>

/** What is asked of leases without moving any. */
export function leaseReads(rooms: LeaseRooms): LeaseReads {
  const { db, moves, counts, standing, restoredAt } = rooms
  const idsOf = (where: SQL | undefined): LeaseId[] => {
    const rows = db
      .select({ id: leases.id })
      .from(leases)
      .where(and(where, isReservedOrActive))
      .all()
    return rows.map(({ id }) => id as LeaseId) // made in one place, and the key of this row
  }

  return {
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
