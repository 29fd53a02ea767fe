import type { Broker } from '../broker/broker.ts'
import type { LeaseId } from '../ids.ts'
import type { QueuedEnding } from '../store/store.ts'
import { endBatch } from './end-batch.ts'

/** How many calls to one provider's revoker are under way at once. */
const CALLS_PER_PROVIDER = 8
/** Of these, so many that an upstream busy with other ends has room for a kill at once (P8). */
const KEPT_FOR_KILLS = 2
const CLAIM = 200
/** Leases that stand alone still share one call of their provider. */
const LONE_PER_BATCH = 25

/**
 * Works the ending queue of every provider apart, so that one that hangs holds up no other (P13).
 * The queue itself is in the store; here is only what is under way.
 */
export class EndingQueue {
  readonly #broker: Broker
  /** `left`: not everything that was due could be started. */
  readonly #providers = new Map<string, { calls: number; groups: Set<string>; left: boolean }>()
  readonly #underWay = new Set<LeaseId>()
  readonly #running = new Set<Promise<void>>()
  #stopped = false

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /** Starts what is due and may run now; returns without waiting for the upstreams. */
  async dispatch(): Promise<void> {
    const now = this.#broker.clock.now()
    for (const [provider, at] of await this.#broker.store.endings.nextDue()) {
      if (at <= now) await this.#attempt(provider, now)
    }
  }

  /** Resolves when the calls under way have finished; nothing new is started. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }

  /** What cannot be read of one provider keeps no other from its turn (P13). */
  async #attempt(provider: string, now: number): Promise<void> {
    try {
      await this.#dispatchProvider(provider, now)
    } catch (error) {
      this.#broker.log.error({ provider, err: error }, 'the ending queue cannot be read')
    }
  }

  async #dispatchProvider(provider: string, now: number): Promise<void> {
    const lanes = this.#lanesOf(provider)
    lanes.left = true
    if (lanes.calls >= CALLS_PER_PROVIDER) return
    const limit = CLAIM + this.#underWay.size
    const claimed = await this.#broker.store.endings.due(provider, now, limit)
    const free = claimed.filter(({ lease }) => !this.#underWay.has(lease.id))
    let waiting = false
    for (const batch of batchesOf(free)) {
      const kept = batch.some(({ lane }) => lane === 'kill') ? 0 : KEPT_FOR_KILLS
      if (this.#stopped || lanes.calls >= CALLS_PER_PROVIDER - kept) return
      const group = groupOf(batch)
      if (group !== null && lanes.groups.has(group)) waiting = true
      else this.#start(provider, batch, group)
    }
    lanes.left = waiting || free.length < claimed.length || claimed.length >= limit
  }

  #start(provider: string, batch: readonly QueuedEnding[], group: string | null): void {
    const lanes = this.#lanesOf(provider)
    lanes.calls += 1
    if (group !== null) lanes.groups.add(group)
    for (const { lease } of batch) this.#underWay.add(lease.id)
    const running = endBatch(this.#broker, provider, batch)
      .then(
        () => true,
        (error) => {
          this.#broker.log.error({ provider, err: error }, 'ending a batch failed')
          return false
        },
      )
      .then((written) => {
        lanes.calls -= 1
        if (group !== null) lanes.groups.delete(group)
        for (const { lease } of batch) this.#underWay.delete(lease.id)
        this.#running.delete(running)
        // What could not be written down is still due: it waits for the next sweep, not for none.
        if (written && lanes.left && !this.#stopped) this.#continue(provider)
      })
    this.#running.add(running)
  }

  #continue(provider: string): void {
    void this.#attempt(provider, this.#broker.clock.now())
  }

  #lanesOf(provider: string) {
    let lanes = this.#providers.get(provider)
    if (!lanes) {
      lanes = { calls: 0, groups: new Set(), left: false }
      this.#providers.set(provider, lanes)
    }
    return lanes
  }
}

/** One batch per group and kind of work, in the order of the queue; lone leases in small ones. */
function batchesOf(queue: readonly QueuedEnding[]): QueuedEnding[][] {
  const batches = new Map<string, QueuedEnding[]>()
  let lone = 0
  for (const ending of queue) {
    const work = ending.lane === 'cleanup' ? 'cleanup' : 'end'
    const { group } = ending.lease
    const number = group === null ? Math.floor(lone++ / LONE_PER_BATCH) : 0
    const key = JSON.stringify([work, group, group === null ? [ending.lane, number] : null])
    const batch = batches.get(key)
    if (batch) batch.push(ending)
    else batches.set(key, [ending])
  }
  return [...batches.values()]
}

function groupOf(batch: readonly QueuedEnding[]): string | null {
  return batch[0]?.lease.group ?? null
}
