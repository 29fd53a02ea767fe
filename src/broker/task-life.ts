import type { EntitlementConfig } from '../config.ts'
import { MayflyError } from '../errors.ts'
import type { Lease } from '../model/lease.ts'
import type { Task, TaskOutcome } from '../model/task.ts'
import type { Description } from '../provider.ts'
import type { Caller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { describeCeiling } from './read-world.ts'

/** A sign of life. Answers which leases of the task ended since the one before, and why. */
export async function heartbeat(
  { store, clock }: Broker,
  task: Task,
): Promise<{ readonly task: Task; readonly ended: readonly Lease[] }> {
  const since = task.lastHeartbeatAt ?? task.createdAt
  const beating = await store.tasks.heartbeat(task.id, clock.now())
  if (!beating) throw new MayflyError('task_ended', 'the task has ended')
  return { task: beating, ended: await store.leases.endedOfTask(task.id, since) }
}

/** Ends a task and all its leases; answers when that is durable, not when upstreams did it (P6). */
export async function endTask(
  { store, clock }: Broker,
  order: { readonly task: Task; readonly outcome: TaskOutcome | null; readonly by: Caller },
): Promise<Task> {
  const { task, outcome, by } = order
  const now = clock.now()
  await store.tasks.end({
    id: task.id,
    cause: 'ended',
    outcome,
    actor: by.actor,
    now,
  })
  // Ending twice is no mistake: a client that lost the answer asks again.
  return (await store.tasks.byId(task.id)) ?? task
}

/** Ends one lease; the answer is durable, the upstream follows by itself. */
export async function endLease(
  { store, clock }: Broker,
  order: { readonly lease: Lease; readonly by: Caller },
): Promise<Lease> {
  const { lease, by } = order
  const ended = await store.leases.end({
    id: lease.id,
    cause: by.kind === 'operator' ? 'killed' : 'ended',
    lane: by.kind === 'operator' ? 'kill' : 'end',
    actor: by.actor,
    now: clock.now(),
  })
  return ended ?? (await store.leases.byId(lease.id)) ?? lease
}

/** One thing a task may ask for. */
export interface Requestable {
  readonly entitlement: EntitlementConfig
  readonly description: Description | undefined
}

/** What the task may ask for: the entitlements of its tenant that its own intent names. */
export function requestables({ world }: Broker, task: Task): readonly Requestable[] {
  const current = world()
  const named = new Set(task.intent.map((item) => item.identifier))
  return [...current.entitlements.values()]
    .filter((entitlement) => entitlement.tenants.includes(task.tenant) && named.has(entitlement.id))
    .map((entitlement) => ({ entitlement, description: describeCeiling(current, entitlement) }))
}
