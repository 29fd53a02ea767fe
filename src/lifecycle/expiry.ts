import type { Broker } from '../broker/broker.ts'
import { surely } from '../broker/surely.ts'

const CHUNK = 200

/**
 * Active leases past their expiry start to end; ending ones that died by themselves have ended. The
 * later clock ends; what is dead, the time says that has surely come at its upstream: no step of the
 * clock makes a living one ended (P6).
 */
export async function sweepExpiry(broker: Broker): Promise<void> {
  const { store, clock } = broker
  const late = () => ({ latest: clock.latest(), now: clock.now(), limit: CHUNK })
  while ((await store.leases.expire(late())) === CHUNK);
  for (const provider of await store.endings.runningOut(clock.earliest()))
    while ((await store.endings.runOut(provider, surely(broker, provider), CHUNK)) === CHUNK);
}
