import type { Clock } from '../clock.ts'

const WINDOW_MS = 60_000
/** Keys are swept once there are this many, so that strangers cannot fill the memory. */
const SWEEP_AT = 10_000

/** How often something may happen in a minute, by key; in memory, because it guards only load. */
export class Pace {
  readonly #clock: Clock
  readonly #windows = new Map<string, { start: number; count: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Takes one of `perMinute`; otherwise returns the seconds until there is one again. */
  take(key: string, perMinute: number): number | undefined {
    const tick = this.#clock.monotonic()
    if (this.#windows.size >= SWEEP_AT) this.#sweep(tick)
    const window = this.#windows.get(key)
    if (!window || tick - window.start >= WINDOW_MS) {
      this.#windows.set(key, { start: tick, count: 1 })
      return undefined
    }
    if (window.count < perMinute) {
      window.count += 1
      return undefined
    }
    return Math.max(1, Math.ceil((window.start + WINDOW_MS - tick) / 1000))
  }

  #sweep(tick: number): void {
    for (const [key, window] of this.#windows) {
      if (tick - window.start >= WINDOW_MS) this.#windows.delete(key)
    }
  }
}
