import type { Broker } from '../broker/broker.ts'
import { LONGEST_PAUSE_MS } from '../broker/health.ts'
import type { Clock } from '../clock.ts'
import { UpstreamError } from '../provider.ts'
import type { QueuedEnding } from '../store/store.ts'
import { backoffMs } from './backoff.ts'

/** A call to an upstream that ends, proves or cleans up may take this long, whatever the provider does. */
const CALL_DEADLINE_MS = 15_000

/** What became of an order that the provider left out of its answer. */
export const SAID_NOTHING = { error: 'the provider said nothing of it' } as const

/** What a provider threw, in the contract's terms; a bug in it says nothing about the upstream. */
export function failureOf(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error
  const name = error instanceof Error ? error.name : 'unknown error'
  return new UpstreamError('unknown', `the provider failed: ${name}`)
}

/**
 * Writes down an attempt that did not work; it is made again after a backoff, never given up, and
 * not before the time for which the upstream asked to be left alone.
 */
export async function failAll(
  broker: Broker,
  batch: readonly QueuedEnding[],
  failed: { readonly error: string; readonly retryAfterMs?: number | undefined },
): Promise<void> {
  const { store, clock, random } = broker
  const now = clock.now()
  const { error, retryAfterMs = 0 } = failed
  const least = Math.min(retryAfterMs, LONGEST_PAUSE_MS)
  await Promise.all(
    batch.map(({ lease, lane }) =>
      store.endings.postponed({
        id: lease.id,
        error,
        nextDue: now + Math.max(least, backoffMs(lane, lease.attempts, random)),
        counts: 'attempt',
        now,
      }),
    ),
  )
}

/** What the upstream answers to one call, or an unknown outcome at its deadline; none: nothing was asked. */
export function askWithin<T>(
  clock: Clock,
  run: (signal: AbortSignal) => Promise<readonly T[]> | undefined,
): Promise<readonly T[]> {
  const controller = new AbortController()
  return new Promise((resolve, reject) => {
    const cancel = clock.after(CALL_DEADLINE_MS, () => {
      reject(new UpstreamError('unknown', `no answer within ${CALL_DEADLINE_MS / 1000} s`))
      controller.abort()
    })
    Promise.resolve(run(controller.signal))
      .then((outcomes) => resolve(outcomes ?? []), reject)
      .finally(cancel)
  })
}
