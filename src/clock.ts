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

/**
 * A clock that also says how late it surely is, however its wall clock was set: what has expired by
 * one of these is dead (P6), while the later times above only say what has to end. Neither is later
 * than `earliest`.
 */
export interface SureClock extends Clock {
  /** As if the wall clock had been right at the start, and was not set forward since: for a day. */
  unstepped(): number
  /** The same once it has stood for a day; before, no time is sure: `-Infinity`. */
  settled(): number
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
export function steadyClock(source: ClockSource, highWater: number): SureClock {
  // Kept with its fraction: rounding at each call would slow time down for those who ask often.
  let floor = Math.max(highWater, source.wall())
  let floorTick = source.monotonic()
  const lead = new LeastLead(source)
  const now = () => {
    const { tick, wall } = lead.look()
    const known = floor + (tick - floorTick)
    floor = isLeap({ wall, known }) ? known : Math.max(wall, known)
    floorTick = tick
    return Math.floor(floor)
  }
  const earliest = () => Math.min(now(), Math.floor(source.wall()))
  const unstepped = () => Math.min(earliest(), Math.round(source.monotonic() + lead.least()))
  return {
    now,
    earliest,
    latest: () => Math.max(now(), Math.floor(source.wall())),
    unstepped,
    settled: () => (lead.isOld() ? unstepped() : Number.NEGATIVE_INFINITY),
    monotonic: source.monotonic,
    after: source.after,
  }
}

/**
 * A machine that slept, whose tick stood still meanwhile, looks like a wall clock set forward; where
 * nobody can be asked which it was, that time is believed after a day, or two at the most. Longer than
 * what was minted before lives.
 */
const DOUBT_MS = 86_400_000

/** By how much the wall clock is ahead of the tick: the least of the last day or two. */
class LeastLead {
  readonly #source: ClockSource
  /** Undefined during the first day. */
  #before: number | undefined
  #lately = Number.POSITIVE_INFINITY
  #until: number

  constructor(source: ClockSource) {
    this.#source = source
    this.#until = source.monotonic() + DOUBT_MS
    this.look()
  }

  look(): { readonly tick: number; readonly wall: number } {
    // In this order: a pause between the two must not make it less.
    const tick = this.#source.monotonic()
    const wall = this.#source.wall()
    if (tick >= this.#until) {
      this.#before = this.#lately
      this.#lately = wall - tick
      this.#until = tick + DOUBT_MS
    }
    this.#lately = Math.min(this.#lately, wall - tick)
    return { tick, wall }
  }

  least(): number {
    return Math.min(this.#before ?? this.#lately, this.#lately)
  }

  /** Whether it was looked at for a day. */
  isOld(): boolean {
    return this.#before !== undefined
  }
}

/** Whatever stands before an upstream that is away answers so, with the clock of its own machine. */
export function mayBeAProxys(status: unknown): boolean {
  return typeof status !== 'number' || status >= 500
}

/** Somebody else's clock as its answers tell it, carried on by our tick: at most late, never early. */
export class HeardClock {
  readonly #clock: Pick<Clock, 'monotonic'>
  #heard: { readonly at: number; readonly tick: number } | undefined

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  /** What an answer says the time is; anything that is no time is ignored. */
  hear(at: number): void {
    if (Number.isFinite(at)) this.#heard = { at, tick: this.#clock.monotonic() }
  }

  /** Undefined before the first answer. */
  now(): number | undefined {
    return this.#heard && this.#heard.at + (this.#clock.monotonic() - this.#heard.tick)
  }
}
