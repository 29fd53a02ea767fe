import type { Lease } from '../model/lease.ts'
import { SKEW_MS } from '../model/lifetime.ts'
import type { Broker } from './broker.ts'

/**
 * How late it surely is at this provider's upstream, however our wall clock was set: what expired
 * there by then is dead (P6). The upstream's own clock decides, since it honours what it minted by
 * that; never later than our earlier one. `-Infinity`: it was not heard since the start, and our clock
 * may have been stepped before. Where an upstream never tells the time, the start's clock is believed.
 */
export function surely({ clock, world }: Pick<Broker, 'clock' | 'world'>, name: string): number {
  const provider = world().providers.get(name)?.provider
  if (provider?.upstreamTime === undefined) return clock.unstepped()
  const heard = provider.upstreamTime()
  return heard === undefined ? clock.settled() : Math.min(clock.earliest(), Math.floor(heard))
}

/** A lease that is dead by our clock, but not surely, is looked at again this soon. */
const DOUBT_MS = 30_000

/** What died is called over at the next sweep; who looked sooner would do nothing else until then. */
const SWEPT_MS = 1_000

/** In how many milliseconds it is worth looking whether it is dead. */
export function untilDeath(
  broker: Pick<Broker, 'clock' | 'world'>,
  { provider, latestPossibleExpiry: at }: Pick<Lease, 'provider' | 'latestPossibleExpiry'>,
): number {
  const inDoubt = Math.min(at - surely(broker, provider), DOUBT_MS)
  return Math.max(SWEPT_MS, at - broker.clock.earliest(), inDoubt)
}

/** How much later than our clock says an upstream that lives in another time lets go; 0 within the skew. */
export function behindBy(broker: Pick<Broker, 'clock' | 'world'>, provider: string): number {
  const behind = broker.clock.earliest() - surely(broker, provider)
  return Number.isFinite(behind) && behind > SKEW_MS ? behind : 0
}
