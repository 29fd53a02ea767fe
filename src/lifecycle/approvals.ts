import type { Broker } from '../broker/broker.ts'

const CHUNK = 200

/** Ends approvals that were not decided or used in time, or were asked for under other policies. */
export class ApprovalExpiry {
  readonly #broker: Broker
  /** Under which everything that was open was asked for, as far as was last seen. */
  #policyHash: string | undefined

  constructor(broker: Broker) {
    this.#broker = broker
  }

  async sweep(): Promise<void> {
    const { store, clock, world } = this.#broker
    const { approvals } = store
    const now = clock.now()
    while ((await approvals.expire({ latest: clock.latest(), now, limit: CHUNK })) === CHUNK);
    const policyHash = world().policy.hash
    if (policyHash === this.#policyHash) return
    while ((await approvals.expireForeign({ policyHash, now, limit: CHUNK })) === CHUNK);
    this.#policyHash = policyHash
  }
}
