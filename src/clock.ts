/**
 * Time as the broker sees it. All instants are epoch milliseconds.
 *
 * `now` never runs backwards while the process lives and never starts below the stored
 * high-water mark, so that no wall-clock step can extend a lifetime (P5). `earliest` is the lower
 * of that and the raw wall clock: bounds handed to an upstream are computed from it.
 */
export interface Clock {
  now(): number
  earliest(): number
  /** A tick that only moves forward, in milliseconds; its origin means nothing. */
  monotonic(): number
  /** Calls `run` once after `ms`; the returned function cancels it. */
  after(ms: number, run: () => void): () => void
}

/** What the operating system offers: a wall clock that may step, a tick that does not. */
export interface ClockSource {
  wall(): number
  monotonic(): number
  after(ms: number, run: () => void): () => void
}

/** Builds the broker's clock over a source, starting no lower than `highWater`. */
export function steadyClock(source: ClockSource, highWater: number): Clock {
  // Kept with its fraction: rounding at each call would slow time down for those who ask often.
  let floor = Math.max(highWater, source.wall())
  let floorTick = source.monotonic()
  const now = () => {
    const tick = source.monotonic()
    floor = Math.max(source.wall(), floor + (tick - floorTick))
    floorTick = tick
    return Math.floor(floor)
  }
  return {
    now,
    earliest: () => Math.min(now(), Math.floor(source.wall())),
    monotonic: source.monotonic,
    after: source.after,
  }
}
