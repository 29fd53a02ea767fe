import type { Broker } from '../broker/broker.ts'
import { enforceWorld } from '../broker/reload.ts'

/**
 * Holds live leases against the world in force whenever it is not the one they were last held
 * against: after a restart with other policies, after a reload that was cut off (P7).
 */
export class Enforcement {
  readonly #broker: Broker
  #enforced: string | undefined

  constructor(broker: Broker) {
    this.#broker = broker
  }

  async sweep(): Promise<void> {
    const { world, store, log } = this.#broker
    const { fingerprint } = world()
    if (this.#enforced === fingerprint) return
    if ((await store.enforcedWorld()) !== fingerprint) {
      const ended = await enforceWorld(this.#broker, 'mayfly')
      if (ended > 0) log.warn({ leases: ended }, 'leases that would now be refused are being ended')
    }
    this.#enforced = fingerprint
  }
}
