import type { Broker } from '../broker/broker.ts'
import { reconcileProvider } from '../broker/reconcile.ts'
import type { Provider } from '../provider.ts'

/** Well within the time after which what an upstream does not show counts as not done. */
const LOOK_EVERY_MS = 10_000

/**
 * Looks whether upstreams show the ends that they accepted. Where one does not, nothing more is
 * minted until it does (P17), and what it had said to refuse is ended again (P6).
 */
export class Doubts {
  readonly #broker: Broker
  /** When each is looked at next, on the monotonic tick; `Infinity` while it is. */
  readonly #nextLook = new Map<string, number>()
  #stopped = false

  constructor(broker: Broker) {
    this.#broker = broker
  }

  sweep(): void {
    const tick = this.#broker.clock.monotonic()
    for (const [name, { provider }] of this.#broker.world().providers) {
      if (provider.doubts === undefined || tick < (this.#nextLook.get(name) ?? 0)) continue
      this.#nextLook.set(name, Number.POSITIVE_INFINITY)
      void this.#look(name, provider).finally(() => {
        this.#nextLook.set(name, this.#broker.clock.monotonic() + LOOK_EVERY_MS)
      })
    }
  }

  /** What is still being looked at is not acted on any more. */
  stop(): void {
    this.#stopped = true
  }

  async #look(name: string, provider: Provider): Promise<void> {
    const { health, log, world } = this.#broker
    try {
      const doubts = (await provider.doubts?.()) ?? []
      if (world().providers.get(name)?.provider !== provider) return
      if (this.#stopped || !health.doubted(name, doubts)) return
      for (const { group, what } of doubts) log.error({ provider: name, group }, what)
      await reconcileProvider(this.#broker, name, { repair: 'containment', actor: 'mayfly' })
    } catch (error) {
      if (!this.#stopped)
        log.error({ provider: name, err: error }, 'what an upstream accepted was not looked at')
    }
  }
}
