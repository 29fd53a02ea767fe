import type { Broker } from '../broker/broker.ts'
import { enforceWorld } from '../broker/reload.ts'
import { aboutOf } from '../broker/risk.ts'
import type { Selector } from '../model/selector.ts'
import type { Signal } from '../store/store.ts'

/** What live leases were last held against: a world, and the signals that set a risk then. */
interface Held {
  readonly fingerprint: string
  readonly mark: string
  readonly risks: ReadonlyMap<string, Signal>
}

/**
 * Holds live leases against the world and the risk in force whenever they are not what they were
 * last held against: after a restart with other policies, a reload that was cut off, a signal that
 * came, expired or was cleared (P7). What they were held against is stored, so that a crash in
 * between is noticed at the next start. Costs a comparison while nothing changes.
 */
export class Enforcement {
  readonly #broker: Broker
  #held: Held | undefined
  #running: Promise<void> | undefined
  #stopped = false

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /** One at a time: whoever comes meanwhile waits for the one under way, and then looks again. */
  sweep(): Promise<void> {
    this.#running ??= this.#holdAll().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** Waits for what is under way; what is left over is found again at the next start. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running?.catch(() => {})
  }

  async #holdAll(): Promise<void> {
    while (!this.#stopped && (await this.#holdOnce())) {
      // Something changed while leases were decided.
    }
  }

  async #holdOnce(): Promise<boolean> {
    const { world, store, clock, log } = this.#broker
    const { fingerprint } = world()
    const now = clock.now()
    // In one turn: the mark is that of these signals.
    const [mark, signals] = await Promise.all([
      store.signals.riskMark(now),
      store.signals.risks(now),
    ])
    const held = this.#held
    if (held?.fingerprint === fingerprint && held.mark === mark) return false
    const risks = new Map(signals.map((one) => [one.id, one]))
    const stored = await store.enforcedWorld()
    if (stored !== `${fingerprint} ${mark}`) {
      const sameWorld = stored?.startsWith(`${fingerprint} `) === true
      const named =
        sameWorld && held && stored === `${held.fingerprint} ${held.mark}`
          ? this.#changed(held.risks, risks)
          : undefined
      const because = sameWorld ? 'risk' : 'world'
      const order = { actor: 'mayfly', because, mark, named } as const
      const ended = await enforceWorld(this.#broker, order)
      if (ended > 0) log.warn({ leases: ended }, 'leases that would now be refused are being ended')
    }
    this.#held = { fingerprint, mark, risks }
    return true
  }

  /** Whom the signals are about that count now and did not before, or the other way round. */
  #changed(before: Held['risks'], after: Held['risks']): readonly Selector[] {
    const came = [...after.values()].filter(({ id, level }) => before.get(id)?.level !== level)
    const went = [...before.values()].filter(({ id }) => !after.has(id))
    return [...came, ...went].flatMap((signal) => aboutOf(this.#broker.world(), signal))
  }
}
