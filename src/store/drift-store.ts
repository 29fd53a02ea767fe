import type { Actor } from '../audit/events.ts'
import type { LeaseId } from '../ids.ts'
import type { Lease } from '../model/lease.ts'
import type { QueuedEnding } from './ending-store.ts'

/** Where a walk over leases stands; the next page begins behind it. */
export interface DriftPage {
  readonly after: readonly [number, number] | undefined
  readonly limit: number
}

export interface DriftPaged {
  readonly leases: readonly QueuedEnding[]
  /** Undefined: that was all. */
  readonly next: DriftPage['after']
}

/** What is read and written where an upstream turns out to differ from what is known here. */
export interface DriftStore {
  /** Leases that count as refused and could still be alive, those that die first ahead. */
  contained(provider: string, now: number, page: DriftPage): Promise<DriftPaged>
  /** Active leases; the first number of a place in this walk says nothing. */
  active(provider: string, page: DriftPage): Promise<DriftPaged>
  /** What holds each slot of a provider, live or still to be cleaned up. */
  holders(provider: string): Promise<ReadonlyMap<string, Lease>>
  /**
   * Ended or failed → ending, or ending and enforced → unknown: the upstream accepts it after all.
   * It is ended again at once, for the cause it ended for, in the lane that had. False where the
   * lease is not any more what it was `seen` as.
   */
  lose(order: {
    readonly seen: Lease
    /** What showed it, for the audit log. */
    readonly what: string
    /** Until when it could live, where it outlived what was thought its latest. */
    readonly until: number
    readonly actor: Actor
    readonly now: number
  }): Promise<boolean>
  /** Makes a dead lease's clean-up due again; false if it is no dead one or was due anyway. */
  cleanAgain(id: LeaseId, now: number): Promise<boolean>
}
