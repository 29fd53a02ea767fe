import type { Reservation } from '../store.ts'
import type { Db } from './database.ts'
import { and, eq, gt, isNotNull, ne, or, sql } from './drizzle.ts'
import type { TaskRow } from './rows.ts'
import { leases } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isReservedOrActive } from './states.ts'

/**
 * What one holder may have of the places that the others leave. Below one, so that whoever loops
 * stops while some are free; high, so that a role with a single agent is used nearly whole.
 */
const SHARE = 3 / 4

type ShareRefusal = 'capacity' | 'tenant-share' | 'agent-share'

/**
 * Whether a group's places for ordinary ends allow one more lease (P13, P17). A lease holds a
 * place while the upstream is made to refuse it, until it is dead; what its own agent has live
 * counts as well, because each will need a place. Agents of one group bound each other; where
 * several tenants share it, tenants do first, and then the agents within their tenant's part.
 */
export function fairShare(db: Db): (order: Reservation, task: TaskRow) => ShareRefusal | undefined {
  const { groupKey, groupCapacity, tenant, agent } = leases
  // Index: leases_group, no more rows than the group has places.
  const places = db
    .select({ tenant, agent })
    .from(leases)
    .where(
      and(
        eq(groupKey, param('group')),
        isNotNull(leases.containment),
        // Null: refused together with others, without a place of its own. 0: unless it was killed.
        or(gt(groupCapacity, 0), and(eq(groupCapacity, 0), ne(leases.containment, 'pending'))),
        gt(leases.latestPossibleExpiry, param('now')),
      ),
    )
    .limit(sql.placeholder('limit'))
    .as('places')
  const refused = prepared(
    db,
    db
      .select({ tenant: places.tenant, agent: places.agent, n: sql<number>`count(*)` })
      .from(places)
      .groupBy(places.tenant, places.agent),
  )
  // Index: leases_group_live.
  const ofTenant = and(
    eq(groupKey, param('group')),
    isReservedOrActive,
    eq(tenant, param('tenant')),
    gt(groupCapacity, 0),
  )
  const liveOfTenant = atMost(db, ofTenant)
  const liveOfAgent = atMost(db, and(ofTenant, eq(agent, param('agent'))))

  return ({ group, groupCapacity: capacity, groupShared, now }, task) => {
    if (group === null || capacity === undefined) return undefined
    const held = refused.all({ group, now, limit: capacity })
    const sum = (rows: typeof held) => rows.reduce((total, { n }) => total + n, 0)
    const all = sum(held)
    if (all >= capacity) return 'capacity'

    const holder = { group, tenant: task.tenant, agent: task.agent, limit: capacity }
    const ofMyTenant = sum(held.filter((row) => row.tenant === task.tenant))
    const mine = sum(held.filter((row) => row.agent === task.agent))
    let [part, inPart] = [capacity, all]
    if (groupShared) {
      ;[part, inPart] = [shareOf(capacity - (all - ofMyTenant)), ofMyTenant]
      if (ofMyTenant + liveOfTenant(holder) >= part) return 'tenant-share'
    }
    const share = shareOf(part - (inPart - mine))
    return mine + liveOfAgent(holder) >= share ? 'agent-share' : undefined
  }
}

/** Never nothing: a newcomer has a place as long as one is left. */
function shareOf(free: number): number {
  return Math.max(1, Math.floor(free * SHARE))
}

/** How many rows match; looks at no more than `limit`. */
function atMost(db: Db, where: ReturnType<typeof and>) {
  const some = db.select({ one: sql`1` }).from(leases).where(where).limit(sql.placeholder('limit'))
  const statement = prepared(db, db.select({ n: sql<number>`count(*)` }).from(some.as('some')))
  return (of: Readonly<Record<string, unknown>>): number => statement.get(of)?.n ?? 0
}
