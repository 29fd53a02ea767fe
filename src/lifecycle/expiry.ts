import type { Broker } from '../broker/broker.ts'

const CHUNK = 200

/**
 * Active leases past their expiry start to end; ending ones that died by themselves have ended. The
 * later clock ends, the earlier one says what is dead: no clock step makes a living one ended (P5).
 */
export async function sweepExpiry({ store, clock }: Broker): Promise<void> {
  const late = () => ({ latest: clock.latest(), now: clock.now(), limit: CHUNK })
  while ((await store.leases.expire(late())) === CHUNK);
  while ((await store.endings.runOut(clock.earliest(), CHUNK)) === CHUNK);
}
