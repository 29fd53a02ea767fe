import type { EndOrder } from '../provider.ts'
import type { QueuedEnding } from '../store/store.ts'

/** A lease on its way out in the words of the provider contract. */
export function endOrderOf({
  lease,
  targetSpec,
}: Pick<QueuedEnding, 'lease' | 'targetSpec'>): EndOrder {
  return {
    lease: lease.id,
    upstreamName: lease.upstreamName,
    task: lease.task,
    agent: lease.agent,
    tenant: lease.tenant,
    target: targetSpec,
    targetName: lease.target,
    group: lease.group,
    slot: lease.slot,
    handle: lease.handle,
    nativeExpiresAt: lease.nativeExpiresAt,
    latestPossibleExpiry: lease.latestPossibleExpiry,
  }
}
