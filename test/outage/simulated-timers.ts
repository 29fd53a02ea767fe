import type { ManualTime } from '../fixture/time.ts'

/**
 * What clients wait by themselves (before a second attempt, for a connection, until a deadline)
 * passes in simulated time too: they use the global timers, and time out by signals of their own.
 * Sockets keep to real time. The returned function gives the real ones back.
 */
export function simulateTimers(time: ManualTime): () => void {
  const real = { setTimeout, clearTimeout, timeout: AbortSignal.timeout }
  const running = new Map<number, SimulatedTimer>()
  let made = 0
  const start = (run: (...args: unknown[]) => void, ms?: unknown, ...args: unknown[]) => {
    made += 1
    return new SimulatedTimer({ id: made, ms: waitOf(ms), time, running, run: () => run(...args) })
  }
  const cancel = (timer: unknown) => {
    if (timer instanceof SimulatedTimer) timer.close()
    else if (typeof timer === 'number') running.get(timer)?.close()
    else real.clearTimeout(timer as NodeJS.Timeout | undefined) // made before this began
  }
  Object.assign(globalThis, { setTimeout: start, clearTimeout: cancel })
  AbortSignal.timeout = (ms) => {
    const controller = new AbortController()
    time.after(ms, () => controller.abort(new DOMException('timed out', 'TimeoutError')))
    return controller.signal
  }
  return () => {
    const { timeout, ...timers } = real
    Object.assign(globalThis, timers)
    AbortSignal.timeout = timeout
  }
}

/** As Node's timers count it. */
function waitOf(ms: unknown): number {
  const wait = Number(ms)
  return wait >= 1 ? Math.trunc(wait) : 1
}

interface Given {
  readonly id: number
  readonly ms: number
  readonly time: ManualTime
  readonly running: Map<number, SimulatedTimer>
  readonly run: () => void
}

/** What Node's `Timeout` can be asked for. */
class SimulatedTimer {
  readonly #given: Given
  #cancel = () => {}

  constructor(given: Given) {
    this.#given = given
    this.refresh()
  }

  refresh(): this {
    const { id, ms, time, running, run } = this.#given
    this.#cancel()
    running.set(id, this)
    this.#cancel = time.after(ms, () => {
      running.delete(id)
      run()
    })
    return this
  }

  close(): this {
    this.#cancel()
    this.#given.running.delete(this.#given.id)
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return false
  }

  [Symbol.toPrimitive](): number {
    return this.#given.id
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
