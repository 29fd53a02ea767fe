import type { Broker } from '../broker/broker.ts'
import { endOrderOf } from '../broker/end-order.ts'
import { surely } from '../broker/surely.ts'
import type { EndOrder, EndOutcome, Provider } from '../provider.ts'
import type { QueuedEnding } from '../store/store.ts'
import { askWithin, failAll, failureOf, SAID_NOTHING } from './attempt.ts'
import { letRunOut } from './run-out.ts'

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
  const { release, revoke } = provider
  // A place given back too early would wake its last token up again (P6).
  const now = surely(broker, batch[0]?.lease.provider ?? '')
  const dead = held.filter(({ lease }) => lease.latestPossibleExpiry <= now)
  await letRunOut(
    broker,
    held.filter((ending) => !dead.includes(ending)),
    'its last token may still be alive; it is cleaned up after that',
  )
  await run(broker, dead, release && ((orders) => release.call(provider, orders)))
  await run(
    broker,
    lone,
    revoke &&
      ((orders, signal) =>
        revoke.call(provider, { group: null, orders, stillRefused: [], signal })),
  )
  await run(broker, grouped, undefined)
}

type Ask = (orders: readonly EndOrder[], signal: AbortSignal) => Promise<readonly EndOutcome[]>

async function run(
  broker: Broker,
  batch: readonly QueuedEnding[],
  ask: Ask | undefined,
): Promise<void> {
  if (batch.length === 0) return
  const { store, clock } = broker
  const outcomes =
    ask &&
    (await askWithin(clock, (signal) => ask(batch.map(endOrderOf), signal)).catch(
      (error: unknown) => failureOf(error),
    ))
  if (outcomes instanceof Error) {
    const { message: error, retryAfterMs } = outcomes
    return await failAll(broker, batch, { error, retryAfterMs })
  }
  await Promise.all(
    batch.map((ending) => {
      const { id } = ending.lease
      const outcome = outcomes?.find((one) => one.lease === id)
      if (outcomes === undefined || outcome?.ok) return store.endings.released(id, clock.now())
      return failAll(broker, [ending], outcome ?? SAID_NOTHING)
    }),
  )
}
