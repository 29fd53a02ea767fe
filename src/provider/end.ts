import type { LeaseId, TaskId } from '../ids.ts'
import type { GroupUse } from '../model/group-use.ts'
import type { ContainmentProof } from '../model/lease.ts'

export interface EndOrder {
  readonly lease: LeaseId
  readonly upstreamName: string
  readonly task: TaskId
  readonly agent: string
  readonly tenant: string
  /** The entitlement's target as it was when the lease was reserved. */
  readonly target: unknown
  readonly targetName: string
  readonly group: string | null
  readonly slot: string | null
  readonly handle: Readonly<Record<string, unknown>> | null
  readonly nativeExpiresAt: number | null
  readonly latestPossibleExpiry: number
}

export interface RevokeBatch {
  readonly group: string | null
  readonly orders: readonly EndOrder[]
  /** The group's other leases that must stay refused: not known dead yet. */
  readonly stillRefused: readonly EndOrder[]
  /**
   * Given with kills of many: what of the group must go on working. An upstream that can refuse many
   * at once, by what they have in common, reaches none of it. Others ignore it.
   */
  readonly use?: GroupUse
  readonly signal: AbortSignal
}

export type EndOutcome =
  | {
      readonly lease: LeaseId
      readonly ok: true
      readonly containment: 'enforced' | 'proved'
      /** The latest instant it can still work, as far as is known for sure. */
      readonly exposedUntil: number
      readonly proof?: ContainmentProof
      /** Refused together with others: none of its group's places is taken by it. */
      readonly sharesPlace?: true
    }
  | {
      readonly lease: LeaseId
      readonly ok: false
      readonly error: string
      /**
       * It says something of the upstream as a whole, which answers nothing or does not do what it
       * says it did; absent: maybe of this lease alone.
       */
      readonly blame?: 'upstream'
      /** As that of `UpstreamError`. */
      readonly retryAfterMs?: number
    }

export interface ProofOutcome {
  readonly lease: LeaseId
  readonly proof?: ContainmentProof
  /** It was seen accepted. Absent beside no proof: nothing could be seen. */
  readonly works?: true
}
