import type { ApprovalId, DecisionId, LeaseId, TaskId } from '../ids.ts'
import type { Chain } from './chain.ts'
import type { Impact, IntentItem } from './intent.ts'
import type { Revocability } from './lease.ts'
import type { Risk } from './risk.ts'

export const APPROVAL_STATES = ['pending', 'granted', 'denied', 'expired', 'consumed'] as const
export type ApprovalState = (typeof APPROVAL_STATES)[number]

/** Why one that was pending, or granted and not used, is worth nothing any more. */
export const APPROVAL_CAUSES = [
  'time',
  'task-ended',
  'killed',
  'signal',
  'risk',
  'policy',
  'restored',
] as const
export type ApprovalCause = (typeof APPROVAL_CAUSES)[number]

/** What whoever decides is shown, as it was worked out when it was asked for; no secret. */
export interface ApprovalShown {
  /** The agent's own text: never an input to a decision. */
  readonly purpose: string
  readonly intent: readonly IntentItem[]
  /** The compiled least privilege, in the upstream's own terms. */
  readonly scope: Readonly<Record<string, unknown>>
  readonly zone: string
  readonly datasets: readonly string[]
  readonly impact: readonly Impact[]
  readonly residuals: readonly string[]
  readonly revocability: Revocability
  /** The highest of everybody whose work it is. */
  readonly risk: Risk
  /** The policies that want the approval. */
  readonly policies: readonly string[]
}

/**
 * A person's yes or no to exactly one credential of one task. It is bound to what was asked for by
 * `grant`, good for one lease, and for nothing once its task, policies or subject changed.
 * Instants are epoch milliseconds.
 */
export interface Approval {
  readonly id: ApprovalId
  readonly task: TaskId
  readonly agent: string
  readonly tenant: string
  readonly workload: string
  readonly issuer: string
  /** Through whom its task came to its work. */
  readonly chain: Chain
  readonly entitlement: string
  readonly provider: string
  readonly target: string
  /** SHA-256 of the canonical grant, lower-case hex. */
  readonly grant: string
  readonly shown: ApprovalShown
  readonly ttlSeconds: number
  readonly policyHash: string
  readonly decision: DecisionId
  readonly state: ApprovalState
  readonly cause: ApprovalCause | null
  readonly createdAt: number
  /** Until when it can be decided or, once granted, used. */
  readonly expiresAt: number
  readonly decidedAt: number | null
  /** `operator:<name>` */
  readonly decidedBy: string | null
  readonly reason: string | null
  /** The one lease it was good for. */
  readonly lease: LeaseId | null
}
