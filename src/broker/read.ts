import { isId } from '../ids.ts'
import type { Lease } from '../model/lease.ts'
import type { Task } from '../model/task.ts'
import type {
  DecisionFilter,
  DecisionRecord,
  LeaseFilter,
  Page,
  TaskFilter,
} from '../store/store.ts'
import type { Caller, OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { notFound } from './not-found.ts'
import { mayRead, tenantsFor } from './operator.ts'
import { type Listing, pageFrom } from './page.ts'

export type { DecisionRecord, Page } from '../store/store.ts'
export { notFound } from './not-found.ts'

/**
 * An id is not authority (P11): a task sees itself and its own leases, an operator what policy lets
 * them read or kill. Everything else is `not_found`, whether it exists or not.
 */
export async function findTask(
  broker: Broker,
  by: Caller,
  { id, act }: { readonly id: string; readonly act: 'readLeases' | 'kill' },
): Promise<Task> {
  if (by.kind === 'task') {
    if (by.task.id === id) return by.task
    throw notFound('task')
  }
  const tenants = tenantsFor(broker, by.operator, act)
  const task = isId('task', id) ? await broker.store.tasks.shown(id) : undefined
  if (!task || !mayRead(tenants, task.tenant)) throw notFound('task')
  return task
}

/** Likewise for a lease. */
export async function findLease(
  broker: Broker,
  by: Caller,
  { id, act }: { readonly id: string; readonly act: 'readLeases' | 'kill' },
): Promise<Lease> {
  const tenants = by.kind === 'task' ? [by.task.tenant] : tenantsFor(broker, by.operator, act)
  const { leases } = broker.store
  const known = isId('lease', id)
  const lease = !known ? undefined : await leases[by.kind === 'task' ? 'byId' : 'shown'](id)
  const foreign = by.kind === 'task' && lease?.task !== by.task.id
  if (!lease || foreign || !mayRead(tenants, lease.tenant)) throw notFound('lease')
  return lease
}

/** How many tasks it delegated to; for whoever found it. */
export function countChildren({ store }: Broker, { id }: Task): Promise<number> {
  return store.tasks.countChildren(id)
}

/** Tasks of the operator's tenants, newest first. */
export async function listTasks(
  broker: Broker,
  by: OperatorCaller,
  request: { readonly filter: Omit<TaskFilter, 'tenants'>; readonly page: Page },
): Promise<Listing<Task>> {
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  return await pageFrom(request.page, {
    fetch: (page) => broker.store.tasks.list({ ...request.filter, tenants }, page),
    place: (task) => `${task.createdAt}.${task.id}`,
  })
}

/** Leases of the operator's tenants, newest first. */
export async function listLeases(
  broker: Broker,
  by: OperatorCaller,
  request: { readonly filter: Omit<LeaseFilter, 'tenants'>; readonly page: Page },
): Promise<Listing<Lease>> {
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  return await pageFrom(request.page, {
    fetch: (page) => broker.store.leases.list({ ...request.filter, tenants }, page),
    place: (lease) => `${lease.createdAt}.${lease.id}`,
  })
}

/** What was decided and why (P15): for operators alone. */
export async function findDecision(
  broker: Broker,
  by: OperatorCaller,
  id: string,
): Promise<DecisionRecord> {
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  const decision = isId('dec', id) ? await broker.store.decisions.byId(id) : undefined
  if (!decision || !mayRead(tenants, decision.tenant)) throw notFound('decision')
  return decision
}

export async function listDecisions(
  broker: Broker,
  by: OperatorCaller,
  request: {
    readonly filter: Omit<DecisionFilter, 'tenants'>
    readonly page: Page
  },
): Promise<Listing<DecisionRecord>> {
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  return await pageFrom(request.page, {
    fetch: (page) => broker.store.decisions.list({ ...request.filter, tenants }, page),
    place: (decision) => `${decision.at}.${decision.id}`,
  })
}
