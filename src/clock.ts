/**
 * Time as the broker sees it. All instants are epoch milliseconds.
 *
 * `now` never runs backwards while the process lives and never starts below the stored
 * high-water mark, so that no wall-clock step can extend a lifetime (P5). `earliest` is the lower
 * of that and the raw wall clock: bounds handed to an upstream are computed from it. `latest` is
 * the higher: it differs only while the wall clock has leapt further ahead than is believed unasked.
 * Then it says what has to end, and nothing new begins; what is written down bears `now`, because
 * a time once recorded is never taken back.
 */
export interface Clock {
  now(): number
  earliest(): number
  latest(): number
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

/**
 * The furthest ahead of all that is known that a wall clock is believed without asking anybody.
 * Longer than a broker, or the machine it sleeps on, is away over holidays; shorter than the
 * mistakes that do not heal by waiting: a wrong month or year, a GPS week that rolled over.
 */
const LEAP_MS = 14 * 86_400_000

/** Whether a person has to be asked if this wall clock is right (P5). */
export function isLeap({ wall, known }: { wall: number; known: number }): boolean {
  return wall - known > LEAP_MS
}

/** Builds the broker's clock over a source whose time is believed now, no lower than `highWater`. */
export function steadyClock(source: ClockSource, highWater: number): Clock {
  // Kept with its fraction: rounding at each call would slow time down for those who ask often.
  let floor = Math.max(highWater, source.wall())
  let floorTick = source.monotonic()
  const now = () => {
    const tick = source.monotonic()
    const wall = source.wall()
    const known = floor + (tick - floorTick)
    floor = isLeap({ wall, known }) ? known : Math.max(wall, known)
    floorTick = tick
    return Math.floor(floor)
  }
  return {
    now,
    earliest: () => Math.min(now(), Math.floor(source.wall())),
    latest: () => Math.max(now(), Math.floor(source.wall())),
    monotonic: source.monotonic,
    after: source.after,
  }
}
