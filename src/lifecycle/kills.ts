import type { Broker } from '../broker/broker.ts'

const CHUNK = 200

/** Gives everything the open kills match its order to end, a chunk per commit (P8). */
export async function advanceKills({ store, clock }: Broker): Promise<void> {
  for (;;) {
    const { more } = await store.kills.advance(clock.now(), CHUNK)
    if (!more) return
  }
}
