import { MayflyError } from '../errors.ts'
import type { Lease } from '../model/lease.ts'
import type { Task } from '../model/task.ts'
import type { Broker } from './broker.ts'

/** Ends a lease whose secret reached nobody: the client left before it could be answered. */
export async function endUndelivered(
  { store, clock }: Pick<Broker, 'store' | 'clock'>,
  { id }: Lease,
): Promise<MayflyError> {
  const now = clock.now()
  await store.leases.end({ id, cause: 'not-activated', lane: 'end', actor: 'mayfly', now })
  return new MayflyError('lease_ended', 'the client was gone before it could be answered', {
    detail: { lease: id },
  })
}

/** The same where a task was opened for it: its token reached nobody either. */
export async function endUndeliveredTask(
  broker: Pick<Broker, 'store' | 'clock'>,
  { task, lease }: { readonly task: Task; readonly lease: Lease },
): Promise<MayflyError> {
  const end = { cause: 'ended', outcome: 'cancelled', actor: 'mayfly' } as const
  await broker.store.tasks.end({ id: task.id, ...end, now: broker.clock.now() })
  return await endUndelivered(broker, lease)
}
