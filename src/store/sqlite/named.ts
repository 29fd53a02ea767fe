import type { SQL } from 'drizzle-orm'
import type { Selector, SelectorField, SelectorFields } from '../../model/selector.ts'
import { and, eq, inArray, or, sql } from './drizzle.ts'
import { among } from './paging.ts'
import { leases, tasks } from './schema.ts'
import { isNotEnded } from './states.ts'
import { treeOf } from './tree.ts'

// What `matches` of the model says of one subject, as conditions over all rows.

const LEASE_COLUMNS = {
  tenant: leases.tenant,
  entitlement: leases.entitlement,
  provider: leases.provider,
  target: leases.target,
  policy_hash: leases.policyHash,
} as const

/** Which live leases a selector names, also those held in the name of an agent it names. */
export function leaseWhere(selector: Selector, tenants: readonly string[] | null): SQL | undefined {
  if ('all' in selector) return among(leases.tenant, tenants)
  const fields = Object.entries(LEASE_COLUMNS).map(([field, column]) => {
    const value = selector[field as SelectorField] // the keys of LEASE_COLUMNS are such fields
    return value === undefined ? undefined : eq(column, value)
  })
  const { lease, task, agent, workload, issuer } = selector
  const own = and(
    lease === undefined ? undefined : eq(leases.id, lease),
    task === undefined ? undefined : inArray(leases.task, treeOf(task)),
    // Index: leases_agent, which SQLite finds under an `or` only where its condition stands beside.
    agent === undefined ? undefined : and(eq(leases.agent, agent), isNotEnded),
    workload === undefined ? undefined : eq(leases.workload, workload),
    issuer === undefined ? undefined : eq(leases.issuer, issuer),
  )
  const below = lease === undefined ? delegatedBy(selector) : undefined
  const holder = below === undefined ? own : or(own, inArray(leases.task, below))
  return and(holder, ...fields, among(leases.tenant, tenants))
}

const TASK_FIELDS: readonly SelectorField[] = ['task', 'agent', 'workload', 'tenant', 'issuer']

/** Which tasks a selector names as a whole; `none` if it names only a part of what tasks hold. */
export function taskWhere(
  selector: Selector,
  tenants: readonly string[] | null,
): SQL | undefined | 'none' {
  if ('all' in selector) return among(tasks.tenant, tenants)
  const names = Object.entries(selector).filter(([, value]) => value !== undefined)
  if (!names.every(([field]) => TASK_FIELDS.some((known) => known === field))) return 'none'
  const { tenant } = selector
  const below = delegatedBy(selector)
  const own = principalWhere(selector)
  return and(
    below === undefined ? own : or(own, inArray(tasks.id, below)),
    tenant === undefined ? undefined : eq(tasks.tenant, tenant),
    among(tasks.tenant, tenants),
  )
}

/**
 * The open tasks of whom a selector names, and everything below them; undefined where it names
 * nobody. What an ended task delegated has ended with it. Indexes: tasks_agent_open, tasks_parent.
 */
function delegatedBy(selector: SelectorFields): SQL | undefined {
  const { agent, workload, issuer } = selector
  if ((agent ?? workload ?? issuer) === undefined) return undefined
  const open = agent === undefined ? tasks : sql`${tasks} indexed by tasks_agent_open`
  return sql`(with recursive below(id) as (
    select ${tasks.id} from ${open} where ${tasks.state} = 'open' and ${principalWhere(selector)}
    union select t.id from tasks t join below on t.parent = below.id
  ) select id from below)`
}

function principalWhere({ task, agent, workload, issuer }: SelectorFields): SQL | undefined {
  return and(
    task === undefined ? undefined : inArray(tasks.id, treeOf(task)),
    agent === undefined ? undefined : eq(tasks.agent, agent),
    workload === undefined ? undefined : eq(tasks.workload, workload),
    issuer === undefined ? undefined : eq(tasks.issuer, issuer),
  )
}
