import type { Broker } from '../broker/broker.ts'
import type { Provider } from '../provider.ts'
import type { QueuedEnding } from '../store/store.ts'
import { endOrderOf, failAll, failureOf } from './attempt.ts'

const REVOKE_DEADLINE_MS = 15_000

/** Removes what dead leases left upstream, and frees their places in a pool. */
export async function cleanUpBatch(
  broker: Broker,
  provider: Provider,
  batch: readonly QueuedEnding[],
): Promise<void> {
  const held = batch.filter(({ lease }) => lease.slot !== null)
  const lone = batch.filter(({ lease }) => lease.slot === null && lease.group === null)
  // A shared document forgets its dead at its next write; writing it for them alone has no use.
  const grouped = batch.filter(({ lease }) => lease.slot === null && lease.group !== null)
  await run(broker, held, provider.release?.bind(provider))
  await run(broker, lone, revokeOf(provider))
  await run(broker, grouped, undefined)
}

function revokeOf(provider: Provider): Provider['release'] {
  const { revoke } = provider
  if (!revoke) return undefined
  const signal = AbortSignal.timeout(REVOKE_DEADLINE_MS)
  return (orders) => revoke.call(provider, { group: null, orders, stillRefused: [], signal })
}

async function run(
  broker: Broker,
  batch: readonly QueuedEnding[],
  ask: Provider['release'],
): Promise<void> {
  if (batch.length === 0) return
  const { store, clock } = broker
  const outcomes = await (ask?.(batch.map(endOrderOf)) ?? Promise.resolve(undefined)).catch(
    failureOf,
  )
  if (outcomes instanceof Error) return await failAll(broker, batch, outcomes.message)
  await Promise.all(
    batch.map((ending) => {
      const { id } = ending.lease
      const outcome = outcomes?.find((one) => one.lease === id)
      if (outcomes === undefined || outcome?.ok) return store.endings.released(id, clock.now())
      return failAll(broker, [ending], outcome?.error ?? 'the provider said nothing of it')
    }),
  )
}
