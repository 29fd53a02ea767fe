import type { Actor } from '../audit/events.ts'
import type { LeaseId } from '../ids.ts'
import type { GroupUse } from '../model/group-use.ts'
import type { Containment, ContainmentProof, Lane, Lease } from '../model/lease.ts'
import type { Page } from './page.ts'

export interface QueuedEnding {
  readonly lease: Lease
  readonly lane: Lane
  readonly targetSpec: unknown
  /**
   * How many of its group may be refused early at once, but for kills; null: no limit. 0: it was
   * reserved beyond those places.
   */
  readonly groupCapacity: number | null
}

export interface EndingStore {
  /** What is due at one provider: lanes in order, tenants in turn within a lane (P13). */
  due(provider: string, now: number, limit: number): Promise<readonly QueuedEnding[]>
  /** Every provider with something queued, and when its next is due. */
  nextDue(): Promise<ReadonlyMap<string, number>>
  /** The group's other leases whose denial must stay, because they are not known to be dead. */
  stillRefused(
    group: string,
    but: readonly LeaseId[],
    now: number,
  ): Promise<readonly QueuedEnding[]>
  /** Who has leases of the group that are not ordered to end, and which renewals may still land. */
  groupUse(group: string, now: number): Promise<GroupUse>
  /**
   * The upstream accepted (`enforced`) or was seen to refuse (`proved`, which finishes it). Nothing
   * happens if a mint landed since: what was asked by another `handle` says nothing about it. While
   * a renewal is under way the most that is known is `enforced`.
   */
  contained(order: {
    readonly id: LeaseId
    /** The lease's handle as the attempt knew it. */
    readonly handle: Lease['handle']
    readonly containment: Extract<Containment, 'enforced' | 'proved'>
    readonly exposedUntil: number
    readonly proof: ContainmentProof | undefined
    /** It takes none of its group's places, because others are refused by the same entry. */
    readonly sharesPlace?: true
    readonly nextDue: number | null
    readonly now: number
  }): Promise<void>
  /** An attempt that did not work: attempts, error, next try. */
  postponed(order: {
    readonly id: LeaseId
    readonly error: string
    readonly nextDue: number
    readonly counts: 'attempt' | 'wait'
    readonly now: number
  }): Promise<void>
  /** The providers of ending leases past `latestPossibleExpiry`. */
  runningOut(now: number): Promise<readonly string[]>
  /** Of one provider, those that are dead at this time → ended (expired). Returns how many. */
  runOut(provider: string, surely: number, limit: number): Promise<number>
  nextRunOut(): Promise<number | undefined>
  /** The upstream side of a dead lease is cleaned up; its pool slot, if any, is free again. */
  released(id: LeaseId, now: number): Promise<void>
  /** Makes one ending, or all a caller may see, or those of one provider, due now. Returns how many. */
  retryNow(
    which: {
      readonly lease?: LeaseId
      readonly provider?: string
      readonly tenants: readonly string[] | null
    },
    actor: Actor,
    now: number,
  ): Promise<number>
  list(
    filter: { readonly tenants: readonly string[] | null; readonly provider?: string },
    page: Page,
  ): Promise<readonly QueuedEnding[]>
  /**
   * How many wait for each upstream, and since when the oldest has been ending; without those that
   * only run out, which nothing can hasten. A provider without any is absent.
   */
  owed(): Promise<
    readonly { readonly provider: string; readonly count: number; readonly oldest: number }[]
  >
}
