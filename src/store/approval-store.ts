import type { Actor } from '../audit/events.ts'
import type { ApprovalId } from '../ids.ts'
import type { Approval, ApprovalShown, ApprovalState } from '../model/approval.ts'
import type { Page } from './page.ts'

/** What an approval is asked for with, where there is none yet. */
export interface ApprovalRequest {
  readonly id: ApprovalId
  readonly grant: string
  readonly shown: ApprovalShown
  /** As asked for; what is issued may live shorter, where its task ends before. */
  readonly ttlSeconds: number
  readonly expiresAt: number
  /** The most that may be pending for its agent. */
  readonly pendingPerAgent: number
  /** The most its agent may ask for within an hour. */
  readonly perHourPerAgent: number
  /** How long after a denial its agent may not ask for the same entitlement. */
  readonly coolDownSeconds: number
  /** Whether whoever decides is told by webhook. */
  readonly notice: boolean
}

export type DecideApprovalResult =
  | { readonly ok: true; readonly approval: Approval }
  /** It was decided, used or made worthless before; as it is now. */
  | { readonly ok: false; readonly approval: Approval }

export interface ApprovalNotice {
  readonly approval: Approval
  /** Made before, in vain. */
  readonly attempts: number
}

export interface ApprovalStore {
  /**
   * Pending → granted, or pending or granted → denied: a yes can be taken back until it is used.
   * One that time, another policy set or another database made worthless expires instead.
   * Undefined: there is none of this id.
   */
  decide(order: {
    readonly id: ApprovalId
    readonly verdict: 'granted' | 'denied'
    readonly actor: Actor
    readonly reason: string | null
    /** Until when a granted one can be used. */
    readonly expiresAt: number
    readonly policyHash: string
    readonly now: number
  }): Promise<DecideApprovalResult | undefined>
  byId(id: ApprovalId): Promise<Approval | undefined>
  /** Pending or granted ones past their time → expired. Returns how many. */
  expire(order: { latest: number; now: number; limit: number }): Promise<number>
  /** The same for those asked for under other policies, or in a database restored since. */
  expireForeign(order: { policyHash: string; now: number; limit: number }): Promise<number>
  list(
    filter: {
      readonly tenants: readonly string[] | null
      readonly state?: ApprovalState
      readonly agent?: string
      readonly task?: string
      readonly tenant?: string
    },
    page: Page,
  ): Promise<readonly Approval[]>
  /** How many can be decided. */
  countPending(now: number): Promise<number>
  /** Pending ones of which whoever decides is to be told now. */
  noticesDue(now: number, limit: number): Promise<readonly ApprovalNotice[]>
  /** Told (`retryAt` null), or to be tried again. */
  noticed(id: ApprovalId, retryAt: number | null): Promise<void>
  /**
   * Calls back after each commit that changed this approval, until `stop` is called. Undefined: as
   * many wait for it already as may, or nobody may any more.
   */
  watch(id: ApprovalId, listener: () => void): { readonly stop: () => void } | undefined
  /** The broker stops: calls back whoever waits, and lets nobody wait from now on. */
  letGo(): void
}
