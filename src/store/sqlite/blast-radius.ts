import type { SQL } from 'drizzle-orm'
import type { Selector } from '../../model/selector.ts'
import type { BlastRadius, KillCounts } from '../store.ts'
import type { Db } from './database.ts'
import { and, desc, sql } from './drizzle.ts'
import { leaseWhere, taskWhere } from './named.ts'
import { leases, tasks } from './schema.ts'
import { isLive, isOpen } from './states.ts'

/** How many leases, tasks and agents a kill would reach. Indexes: those of what it names. */
export function countMatches(
  db: Db,
  selector: Selector,
  tenants: readonly string[] | null,
): KillCounts {
  const ofLeases = db
    .select({
      leases: sql<number>`count(*)`,
      agents: sql<number>`count(distinct ${leases.agent})`,
      tasks: sql<number>`count(distinct ${leases.task})`,
    })
    .from(leases)
    .where(and(leaseWhere(selector, tenants), isLive))
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

/** The same with who and what that is; lists hold the `limit` with the most leases. */
export function radiusOf(
  db: Db,
  order: {
    readonly selector: Selector
    readonly tenants: readonly string[] | null
    readonly limit: number
  },
): BlastRadius {
  const { selector, tenants, limit } = order
  const live = and(leaseWhere(selector, tenants), isLive)
  const whole = taskWhere(selector, tenants)
  const broken = brokenTasks(live, whole === 'none' ? undefined : and(whole, isOpen))
  const count = sql<number>`count(*)`
  return {
    counts: countMatches(db, selector, tenants),
    upstreams: db
      .select({
        provider: leases.provider,
        revocability: leases.revocability,
        leases: count,
        refused: sql<number>`count(*) filter (where ${leases.containment} = 'enforced')`,
        exposedUntil: sql<number>`max(${leases.exposedUntil})`,
      })
      .from(leases)
      .where(live)
      .groupBy(leases.provider, leases.revocability)
      .all() as BlastRadius['upstreams'], // as this store wrote them
    entitlements: db
      .select({ entitlement: leases.entitlement, leases: count })
      .from(leases)
      .where(live)
      .groupBy(leases.entitlement)
      .orderBy(desc(count), leases.entitlement)
      .limit(limit)
      .all(),
    agents:
      db.all(sql`${broken} select t.agent, t.tenant, count(*) as tasks, sum(b.leases) as leases
      from broken b join tasks t on t.id = b.id
      group by t.agent, t.tenant order by 4 desc, 1 limit ${limit}`),
    tasks: db
      .all<Omit<BlastRadius['tasks'][number], 'ends' | 'ended'> & { ends: number; ended: number }>(
        sql`${broken} select b.id, t.agent, t.tenant, t.purpose, b.leases, b.ends, t.state = 'ended' as ended
          from broken b join tasks t on t.id = b.id
          order by b.leases desc, b.id limit ${limit}`,
      )
      .map((task) => ({ ...task, ends: task.ends === 1, ended: task.ended === 1 })),
  }
}

/** Tasks that end as a whole, and those that only lose leases, with how many leases each loses. */
function brokenTasks(live: SQL | undefined, open: SQL | undefined): SQL {
  const ended =
    open === undefined ? sql`` : sql`union all select ${tasks.id}, 0, 1 from ${tasks} where ${open}`
  return sql`with broken(id, leases, ends) as materialized (
    select id, sum(lease), max(ends) from (
      select ${leases.task} as id, 1 as lease, 0 as ends from ${leases} where ${live} ${ended}
    ) group by id)`
}
