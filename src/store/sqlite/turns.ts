import { LANES } from '../../model/lease.ts'
import type { Db } from './database.ts'
import { and, asc, eq, gt, isNotNull, lte, sql } from './drizzle.ts'
import type { LeaseRow } from './rows.ts'
import { leases } from './schema.ts'
import { param, prepared } from './statement.ts'

/** How many tenants of one lane take turns in one claim; the next claim goes on after them. */
const TENANTS_PER_CLAIM = 50
/** How many tenants are looked at for that, when most of them have nothing due yet. */
const TENANTS_LOOKED_AT = 500

/**
 * Due rows of a provider: lanes in order; within a lane tenants take turns, and those that waited
 * longest come next, so that no number of others starves one (P13).
 */
export function dueInTurn(db: Db): (provider: string, now: number, limit: number) => LeaseRow[] {
  // Index: leases_due, walked tenant by tenant.
  const tenantAfter = prepared(
    db,
    db
      .select({ tenant: leases.tenant })
      .from(leases)
      .where(
        and(
          eq(leases.provider, param('provider')),
          eq(leases.laneRank, param('lane')),
          gt(leases.tenant, param('after')),
          isNotNull(leases.dueAt),
        ),
      )
      .orderBy(asc(leases.tenant))
      .limit(1),
  )
  const dueOf = prepared(
    db,
    db
      .select()
      .from(leases)
      .where(
        and(
          eq(leases.provider, param('provider')),
          eq(leases.laneRank, param('lane')),
          eq(leases.tenant, param('tenant')),
          isNotNull(leases.dueAt),
          lte(leases.dueAt, param('now')),
        ),
      )
      .orderBy(asc(leases.dueAt))
      .limit(sql.placeholder('limit')),
  )
  // Index: leases_due, one look for each lane.
  const holds = (lane: number) =>
    sql<number>`exists (select 1 from ${leases} where ${leases.provider} = ${param('provider')} and ${leases.laneRank} = ${sql.raw(`${lane}`)} and ${leases.dueAt} is not null)`
  const holding = prepared(
    db,
    db
      .select(Object.fromEntries(LANES.map((lane, rank) => [lane, holds(rank)])))
      .from(sql`(select 1)`),
  )
  /** The last tenant that had its turn, by provider and lane. */
  const served = new Map<string, string>()

  return (provider, now, limit) => {
    const claimed: LeaseRow[] = []
    const lanes = holding.get({ provider })
    for (const [lane, name] of LANES.entries()) {
      const room = limit - claimed.length
      if (room <= 0) break
      if (lanes?.[name] === 0) continue
      claimed.push(...interleave(queuesOf({ provider, lane, now, room })).slice(0, room))
    }
    return claimed
  }

  function queuesOf(claim: { provider: string; lane: number; now: number; room: number }) {
    const { provider, lane, now, room } = claim
    const key = `${lane} ${provider}`
    const tenants = tenantsAfter(provider, lane, served.get(key) ?? '')
    const share = Math.ceil(room / Math.max(1, Math.min(tenants.length, TENANTS_PER_CLAIM)))
    const queues: LeaseRow[][] = []
    for (const tenant of tenants) {
      const rows = dueOf.all({ provider, lane, tenant, now, limit: share })
      if (rows.length > 0) queues.push(rows)
      if (tenants.length > TENANTS_PER_CLAIM) served.set(key, tenant)
      if (queues.length === TENANTS_PER_CLAIM) break
    }
    return queues
  }

  /** Tenants with anything queued in a lane: those after `start`, then those up to it. */
  function tenantsAfter(provider: string, lane: number, start: string): string[] {
    const found: string[] = []
    let after = start
    let wrapped = start === ''
    while (found.length < TENANTS_LOOKED_AT) {
      const tenant = tenantAfter.get({ provider, lane, after })?.tenant
      if (tenant === undefined || (wrapped && start !== '' && tenant > start)) {
        if (wrapped) break
        wrapped = true
        after = ''
        continue
      }
      found.push(tenant)
      after = tenant
    }
    return found
  }
}

function interleave<T>(queues: readonly T[][]): T[] {
  const longest = Math.max(0, ...queues.map((queue) => queue.length))
  const turns = Array.from({ length: longest }, (_, turn) =>
    queues.flatMap((queue) => queue.slice(turn, turn + 1)),
  )
  return turns.flat()
}
