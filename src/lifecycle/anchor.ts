import { appendAnchor } from '../audit/anchor.ts'
import type { Broker } from '../broker/broker.ts'

/** Writes the head of the audit chain to the outside anchor, when configured and when it moved. */
export class Anchoring {
  readonly #broker: Broker
  #at = Number.NEGATIVE_INFINITY
  #seq = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(broker: Broker) {
    this.#broker = broker
  }

  async sweep(): Promise<void> {
    const { world, clock } = this.#broker
    const { everySeconds } = world().config.audit
    if (clock.monotonic() - this.#at < everySeconds * 1000) return
    this.#at = clock.monotonic()
    await this.write()
  }

  /** Also called last at a stop, so that the anchor knows everything the store does. */
  write(): Promise<void> {
    // One at a time and in order: an anchor that hangs is not asked twice.
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#append())
    return this.#writing
  }

  async #append(): Promise<void> {
    const { world, store, log } = this.#broker
    const { anchorPath } = world().config.audit
    const { seq, hash, at } = await store.audit.head()
    if (anchorPath === undefined || seq === this.#seq) return
    try {
      await appendAnchor(anchorPath, { seq, hash, at: new Date(at).toISOString() })
      this.#seq = seq
    } catch (error) {
      log.error({ path: anchorPath, err: error }, 'the audit anchor cannot be written')
    }
  }
}
