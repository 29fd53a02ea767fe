import type { Clock } from '../../src/clock.ts'
import { UpstreamError } from '../../src/provider.ts'

const WRITE_DEADLINE_MS = 15_000

interface Waiting<Job, Result> {
  readonly job: Job
  readonly done: PromiseWithResolvers<Result>
}

/**
 * One write at a time: jobs that come while one is under way share the next. A job whose signal
 * aborts stops waiting with an unknown outcome; a write nobody waits for any more is aborted.
 */
export class SharedWrites<Job extends { readonly signal: AbortSignal }, Result> {
  readonly #clock: Clock
  /** Gives one result per job, in order. */
  readonly #write: (jobs: readonly Job[], signal: AbortSignal) => Promise<readonly Result[]>
  #queue: Waiting<Job, Result>[] = []
  #busy = false

  constructor(
    clock: Clock,
    write: (jobs: readonly Job[], signal: AbortSignal) => Promise<readonly Result[]>,
  ) {
    this.#clock = clock
    this.#write = write
  }

  get busy(): boolean {
    return this.#busy
  }

  add(job: Job): Promise<Result> {
    const done = Promise.withResolvers<Result>()
    const giveUp = () =>
      done.reject(new UpstreamError('unknown', 'the deny document was not written in time'))
    if (job.signal.aborted) giveUp()
    else job.signal.addEventListener('abort', giveUp, { once: true })
    this.#queue.push({ job, done })
    void this.#drain()
    return done.promise.finally(() => job.signal.removeEventListener('abort', giveUp))
  }

  async #drain(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    while (this.#queue.length > 0) {
      const waiting = this.#queue.filter(({ job }) => !job.signal.aborted)
      this.#queue = []
      if (waiting.length > 0) await this.#once(waiting)
    }
    this.#busy = false
  }

  async #once(waiting: readonly Waiting<Job, Result>[]): Promise<void> {
    const jobs = waiting.map(({ job }) => job)
    const controller = new AbortController()
    const left = () => {
      if (jobs.every(({ signal }) => signal.aborted)) controller.abort()
    }
    for (const { signal } of jobs) signal.addEventListener('abort', left)
    const cancel = this.#clock.after(WRITE_DEADLINE_MS, () => controller.abort())
    try {
      const results = await this.#write(jobs, controller.signal)
      for (const [i, { done }] of waiting.entries()) {
        const result = results[i]
        if (result !== undefined) done.resolve(result)
      }
    } catch (error) {
      for (const { done } of waiting) done.reject(error)
    } finally {
      cancel()
      for (const { signal } of jobs) signal.removeEventListener('abort', left)
    }
  }
}
