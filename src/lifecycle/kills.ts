import type { Broker } from '../broker/broker.ts'

/** Few enough that a kill acknowledged meanwhile, or any request, does not wait long behind them. */
const CHUNK = 100

/**
 * Gives everything the open kills match its order to end, a chunk per commit (P8). After each,
 * `handOn` may take what has its order to the upstreams.
 */
export async function advanceKills(
  { store, clock }: Broker,
  handOn: () => Promise<void>,
): Promise<void> {
  for (;;) {
    const { more } = await store.kills.advance(clock.now(), CHUNK)
    if (!more) return
    await handOn()
  }
}
