import type { Broker } from '../broker/broker.ts'
import { seenWorking, type Walk } from '../broker/look-again.ts'
import { reconcileProvider } from '../broker/reconcile.ts'
import { repairDrift } from '../broker/repair-drift.ts'
import type { Provider } from '../provider.ts'

/** How often a provider's whole inventory is compared, ± a fifth so that they do not meet. */
const INVENTORY_EVERY_MS = 15 * 60_000
/** How often some of what was proved is looked at again. */
const LOOK_EVERY_MS = 60_000
/** As many as one look asks about; the next one goes on behind them. */
const LOOKS_AT_ONCE = 200

/** Of one provider: when it is its turn next, on the monotonic tick. */
interface Turn {
  inventoryAt: number
  lookAt: number
  readonly walk: Walk
  underWay: boolean
}

/**
 * Compares upstreams with the store, each for itself and never waited for (P13). What was refused
 * and is accepted again is ended again; everything else is told to the operator, since nothing that
 * is not known here may be undone.
 */
export class Reconciling {
  readonly #broker: Broker
  readonly #turns = new Map<string, Turn>()
  #stopped = false

  constructor(broker: Broker) {
    this.#broker = broker
  }

  sweep(): void {
    const tick = this.#broker.clock.monotonic()
    for (const [name, { provider }] of this.#broker.world().providers) {
      const turn = this.#turnOf(name, tick)
      if (turn.underWay || (tick < turn.lookAt && tick < turn.inventoryAt)) continue
      turn.underWay = true
      void this.#take(name, provider, turn).finally(() => {
        turn.underWay = false
      })
    }
  }

  /** What is still being looked at is not acted on any more. */
  stop(): void {
    this.#stopped = true
  }

  async #take(name: string, provider: Provider, turn: Turn): Promise<void> {
    const { clock, log } = this.#broker
    const tick = clock.monotonic()
    try {
      if (tick >= turn.inventoryAt && provider.inventory) await this.#compare(name)
      else await this.#lookAgain(name, provider, turn.walk)
    } catch (error) {
      if (!this.#stopped) log.error({ provider: name, err: error }, 'a provider was not reconciled')
    }
    turn.lookAt = clock.monotonic() + LOOK_EVERY_MS
    if (tick >= turn.inventoryAt) turn.inventoryAt = clock.monotonic() + this.#pause()
  }

  async #compare(name: string): Promise<void> {
    const { log } = this.#broker
    const order = { repair: 'containment', actor: 'mayfly' } as const
    const { findings, error } = await reconcileProvider(this.#broker, name, order)
    if (this.#stopped) return
    if (error !== undefined)
      log.warn({ provider: name, error }, 'an upstream could not be compared')
    const kinds = [...new Set(findings.map(({ drift }) => drift.kind))]
    if (kinds.length === 0) return
    const facts = { provider: name, findings: findings.length, kinds }
    log.warn(facts, 'an upstream differs from the store: mayfly reconcile --dry-run tells how')
  }

  async #lookAgain(name: string, provider: Provider, walk: Walk): Promise<void> {
    const startedAt = this.#broker.clock.now()
    const order = { repair: 'containment', actor: 'mayfly' } as const
    const seen = await seenWorking(this.#broker, { name, provider, startedAt, walk })
    for (const drift of seen) {
      if (!this.#stopped) await repairDrift(this.#broker, { provider, name, drift, order })
    }
  }

  #turnOf(name: string, tick: number): Turn {
    let turn = this.#turns.get(name)
    if (!turn) {
      const walk = { after: undefined, most: LOOKS_AT_ONCE }
      turn = {
        inventoryAt: tick + this.#first(),
        lookAt: tick + LOOK_EVERY_MS,
        walk,
        underWay: false,
      }
      this.#turns.set(name, turn)
    }
    return turn
  }

  /** Soon after a start: what happened while nobody looked is known least then. */
  #first(): number {
    return LOOK_EVERY_MS * (1 + this.#chance())
  }

  #pause(): number {
    return INVENTORY_EVERY_MS * (0.8 + 0.4 * this.#chance())
  }

  #chance(): number {
    const [byte = 0] = this.#broker.random(1)
    return byte / 255
  }
}
