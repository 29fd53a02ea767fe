import { MayflyError } from '../errors.ts'
import { isId } from '../ids.ts'
import type { IntentItem } from '../model/intent.ts'
import type { Lease } from '../model/lease.ts'
import type { Task } from '../model/task.ts'
import type { GatewayCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import type { SubjectName } from './evaluation.ts'
import { mayRead } from './operator.ts'

export interface ActSubject {
  readonly task: Task
  /** The lease it acts with, and what that was reserved for. */
  readonly lease: (Lease & { readonly intent: readonly IntentItem[] }) | undefined
  /** Whether the agent itself showed who it is, instead of being named by an id that is no secret. */
  readonly shown: boolean
}

/** Undefined for what is not there, and for what is of a tenant this gateway may not ask about. */
export async function findActSubject(
  broker: Broker,
  by: GatewayCaller,
  name: SubjectName,
): Promise<ActSubject | undefined> {
  const tenants = tenantsToAsk(broker, by)
  const found = await find(broker, name)
  return found && mayRead(tenants, found.task.tenant) ? found : undefined
}

/** The gateway's own tenants are a rail; of these, those that policy lets it ask about. */
export function tenantsToAsk(
  { world, clock }: Broker,
  { gateway }: GatewayCaller,
): readonly string[] {
  const { policy } = world()
  const now = clock.now()
  const tenants = gateway.tenants.filter(
    (tenant) => policy.decide({ action: 'evaluate', gateway, tenant, now }).outcome === 'permit',
  )
  if (tenants.length > 0) return tenants
  throw new MayflyError('forbidden', 'no policy lets this gateway ask about anybody')
}

async function find({ store }: Broker, { type, id }: SubjectName): Promise<ActSubject | undefined> {
  if (type === 'task_token') {
    const task = await store.tasks.byToken(id)
    return task && { task, lease: undefined, shown: true }
  }
  if (type === 'task') {
    const task = isId('task', id) ? await store.tasks.byId(id) : undefined
    return task && { task, lease: undefined, shown: false }
  }
  if (type !== 'lease' || !isId('lease', id)) return undefined
  const lease = await store.leases.byId(id)
  const order = lease && (await store.leases.orderOf(id))
  const task = lease && (await store.tasks.byId(lease.task))
  return task && order && { task, lease: { ...lease, intent: order.intent }, shown: false }
}
