import type { Clock } from './clock.ts'
import { MayflyError } from './errors.ts'
import type { Store } from './store/store.ts'

/** Whoever asks more often gets the last answer: strangers must not be able to force disk writes. */
const KEEP_MS = 1_000

/**
 * Why this broker should get no traffic; empty: it may. A missing upstream is no such reason,
 * because the others still work.
 */
export function readiness(store: Store, clock: Clock): () => Promise<readonly string[]> {
  let asked = Number.NEGATIVE_INFINITY
  let answer: Promise<readonly string[]> = Promise.resolve([])
  return () => {
    const tick = clock.monotonic()
    if (tick - asked >= KEEP_MS) {
      asked = tick
      answer = problemsOf(store)
    }
    return answer
  }
}

async function problemsOf(store: Store): Promise<readonly string[]> {
  try {
    await store.ready()
    return []
  } catch (error) {
    return [`store: ${error instanceof MayflyError ? error.code : 'internal'}`]
  }
}
