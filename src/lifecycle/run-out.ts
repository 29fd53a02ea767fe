import type { Broker } from '../broker/broker.ts'
import { untilDeath } from '../broker/surely.ts'
import type { QueuedEnding } from '../store/store.ts'

/** Nothing is asked of the upstream before each is surely dead; `why` is shown with it until then. */
export async function letRunOut(
  broker: Broker,
  batch: readonly QueuedEnding[],
  why: string,
): Promise<void> {
  const { store, clock } = broker
  const now = clock.now()
  await Promise.all(
    batch.map(({ lease }) => {
      const nextDue = now + untilDeath(broker, lease)
      return store.endings.postponed({ id: lease.id, error: why, nextDue, counts: 'wait', now })
    }),
  )
}
