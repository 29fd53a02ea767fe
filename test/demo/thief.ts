import { setTimeout as sleep } from 'node:timers/promises'
import type { Held } from './agent.ts'

/** How often the thief tries. */
const POLL_MS = 50
/** So many refusals in a row, and the thief believes it. */
const CONVINCED = 5
/** Past this a credential counts as never refused. */
const PATIENCE_MS = 6_000

export interface Stolen {
  readonly entitlement: string
  readonly provider: Held['provider']
  /** How often it worked for the thief. */
  readonly worked: number
  /** On `performance.now()`; undefined where it still worked when the thief lost patience. */
  readonly refusedAt: number | undefined
  readonly refusal: string
}

/** Somebody who copied an agent's credentials and uses each of them every 50 ms. */
export class Thief {
  readonly #tries: readonly Try[]

  /** Starts at once. */
  constructor(loot: readonly Held[]) {
    this.#tries = loot.map((held) => new Try(held))
  }

  /** Resolves when each credential has worked for the thief at least once. */
  async hasUsedAll(): Promise<void> {
    await Promise.all(this.#tries.map((one) => one.workedOnce))
  }

  /** Resolves when the thief has given up on all, in the order of their refusal. */
  async givesUp(orderedAt: number): Promise<readonly Stolen[]> {
    for (const one of this.#tries) one.deadline = orderedAt + PATIENCE_MS
    const stolen = await Promise.all(this.#tries.map((one) => one.result()))
    return stolen.toSorted((a, b) => timeOf(a) - timeOf(b))
  }

  stop(): void {
    for (const one of this.#tries) one.deadline = 0
  }
}

function timeOf({ refusedAt = Number.POSITIVE_INFINITY }: Stolen): number {
  return refusedAt
}

/** One stolen credential, tried until it is refused for good or `deadline` has come. */
class Try {
  readonly held: Held
  readonly workedOnce: Promise<void>
  /** On `performance.now()`. */
  deadline = Number.POSITIVE_INFINITY
  readonly #done: Promise<void>
  #worked = 0
  #refusals: { readonly at: number; readonly refusal: string }[] = []

  constructor(held: Held) {
    this.held = held
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.workedOnce = promise
    this.#done = this.#run(resolve)
    this.#done.then(
      () => reject(new Error(`${held.entitlement} never worked for the thief`)),
      reject,
    )
    this.workedOnce.catch(() => {})
  }

  async result(): Promise<Stolen> {
    await this.#done
    const { entitlement, provider } = this.held
    const refused = this.#refusals.length < CONVINCED ? undefined : this.#refusals[0]
    return {
      entitlement,
      provider,
      worked: this.#worked,
      refusedAt: refused?.at,
      refusal: refused?.refusal ?? 'never refused',
    }
  }

  async #run(onWorked: () => void): Promise<void> {
    while (performance.now() < this.deadline) {
      const tried = await this.held.use()
      if (tried.allowed) {
        this.#worked += 1
        this.#refusals = []
        onWorked()
      } else {
        this.#refusals.push({ at: performance.now(), refusal: tried.refusal })
        if (this.#refusals.length >= CONVINCED) return
      }
      await sleep(POLL_MS)
    }
  }
}
