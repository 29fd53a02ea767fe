import type { Clock } from '../../src/clock.ts'
import { SKEW_MS } from '../../src/model/lifetime.ts'
import type { EndOrder, MintOrder, ProofOutcome } from '../../src/provider.ts'
import type { Secret } from '../../src/secret.ts'
import { inBatches } from './batches.ts'
import { type Boundary, bucketOf } from './boundary.ts'
import type { Upstream } from './upstream.ts'

/** Refusals in a row that count as proof, over at least two looks: frontends learn one by one. */
const REFUSALS = 6
const REFUSALS_PER_LOOK = 3
const LOOKS_AT_ONCE = 8
/** Below the deadline of whoever asks. */
const LOOKS_MS = 12_000

interface Canary {
  readonly token: Secret
  readonly bucket: string
  /** Its own native expiry: a refusal after that shows nothing. */
  readonly expiresAt: number
  refusals: number
}

/**
 * The proof that a lease's tokens are refused is one of them, which is refused: the narrowed token,
 * at the one service it is good for. It is kept in memory only, for as long as it lives; what a
 * restart loses is the proof, not the end. A token that can do more than Cloud Storage is not kept,
 * because what one service refuses another may still accept.
 */
export class Canaries {
  readonly #upstream: () => Promise<Upstream>
  readonly #clock: Clock
  readonly #kept = new Map<string, Canary>()

  constructor(upstream: () => Promise<Upstream>, clock: Clock) {
    this.#upstream = upstream
    this.#clock = clock
  }

  /** Of a lease's generations the one that lives longest; a shared account cannot be switched off. */
  keep(
    order: MintOrder,
    minted: { token: Secret; boundary: Boundary | undefined; expiresAt: number },
  ): void {
    this.#forgetDead()
    const { token, boundary, expiresAt } = minted
    const bucket = boundary && bucketOf(boundary)
    const earlier = this.#kept.get(order.upstreamName)
    if (order.slot === null || bucket === undefined) return
    if (earlier && earlier.expiresAt > expiresAt) return
    this.#kept.set(order.upstreamName, { token, bucket, expiresAt, refusals: 0 })
  }

  prove(orders: readonly EndOrder[]): Promise<readonly ProofOutcome[]> {
    const signal = AbortSignal.timeout(LOOKS_MS)
    return inBatches(orders, LOOKS_AT_ONCE, (order) => this.#look(order, signal))
  }

  async #look({ lease, upstreamName }: EndOrder, signal: AbortSignal): Promise<ProofOutcome> {
    const canary = this.#kept.get(upstreamName)
    if (!canary || this.#isDead(canary)) return { lease }
    const bounds = { signal, upstreamName }
    const upstream = await this.#upstream()
    const ask = (token: Secret | 'own') => upstream.looks(canary.bucket, token, bounds)
    for (let asked = 0; asked < REFUSALS_PER_LOOK; asked += 1) {
      const look = await ask(canary.token)
      if (look === 'accepted') canary.refusals = 0
      if (look !== 'refused') return look === 'accepted' ? { lease, works: true } : { lease }
    }
    // Where nobody is let in, a refusal says nothing of this token.
    if ((await ask('own')) !== 'accepted') return { lease }
    // It may have died by itself while it was asked.
    if (this.#isDead(canary)) return { lease }
    canary.refusals += REFUSALS_PER_LOOK
    if (canary.refusals < REFUSALS) return { lease }
    return { lease, proof: { method: 'canary', at: this.#clock.now() } }
  }

  /** By the later clock, and with room for Google's: an expired token is refused anyway. */
  #isDead({ expiresAt }: Canary): boolean {
    return this.#clock.latest() >= expiresAt - SKEW_MS
  }

  #forgetDead(): void {
    for (const [name, canary] of this.#kept) if (this.#isDead(canary)) this.#kept.delete(name)
  }
}
