import type { Broker } from '../broker/broker.ts'
import { surely } from '../broker/surely.ts'
import { SKEW_MS } from '../model/lifetime.ts'
import type { Provider } from '../provider.ts'
import type { QueuedEnding } from '../store/store.ts'
import { letRunOut } from './run-out.ts'

/** What dies by itself this soon is not worth one of its group's places. */
const NEARLY_DEAD_MS = 60_000

/** Leaves out what cannot be ended early, or had better run out than take a place from a kill. */
export async function worthEnding(
  broker: Broker,
  provider: Provider,
  batch: readonly QueuedEnding[],
): Promise<readonly QueuedEnding[]> {
  const [first] = batch
  // What a clock set forward calls dead may still work (P6).
  const now = surely(broker, first?.lease.provider ?? '')
  const hopeless = batch.filter(
    ({ lease }) => provider.revoke === undefined || lease.revocability === 'expiry',
  )
  await letRunOut(broker, hopeless, 'this upstream cannot end it early; it runs out by itself')
  const possible = batch.filter((ending) => !hopeless.includes(ending))
  const beyond = possible.filter((one) => one.groupCapacity === 0 && one.lane !== 'kill')
  await letRunOut(broker, beyond, 'it was issued beyond the places for ends; it runs out by itself')
  const able = possible.filter((ending) => !beyond.includes(ending))
  const capacity = able.find(({ groupCapacity }) => groupCapacity)?.groupCapacity
  if (!first || typeof capacity !== 'number' || first.lease.group === null) return able

  const kills = able.filter(({ lane }) => lane === 'kill')
  const others = able.filter(({ lane }) => lane !== 'kill')
  const dying = others.filter(
    ({ lease }) =>
      lease.handle !== null && lease.latestPossibleExpiry - SKEW_MS - now < NEARLY_DEAD_MS,
  )
  await letRunOut(broker, dying, 'it is nearly dead; it runs out by itself')
  const rest = others.filter((ending) => !dying.includes(ending))
  const ids = able.map(({ lease }) => lease.id)
  // Whose place a clock set forward calls free is still refused; unheard, our own time must do.
  const at = Number.isFinite(now) ? now : broker.clock.earliest()
  const held = await broker.store.endings.stillRefused(first.lease.group, ids, at)
  const holding = held.filter(({ groupCapacity }) => groupCapacity !== null)
  const places = Math.max(0, capacity - holding.length - kills.length)
  await letRunOut(broker, rest.slice(places), 'the rest of the capacity is kept for kills')
  return [...kills, ...rest.slice(0, places)]
}
