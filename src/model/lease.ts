import type { ApprovalId, DecisionId, LeaseId, TaskId } from '../ids.ts'
import type { Chain } from './chain.ts'

/** Where a lease stands in its life; the arrows are in `LEASE_TRANSITIONS`. */
export type LeaseState = 'reserved' | 'active' | 'ending' | 'ended' | 'failed'

/** How far the end of a lease is known to have come at its upstream. Never claimed higher. */
export const CONTAINMENTS = ['pending', 'unknown', 'enforced', 'proved', 'expired'] as const
export type Containment = (typeof CONTAINMENTS)[number]

/** Why a lease ended, for the operator, the agent and the audit. */
export type EndCause =
  | 'ended'
  | 'replaced'
  | 'task-ended'
  | 'task-deadline'
  | 'heartbeat-lost'
  | 'parent-ended'
  | 'expired'
  | 'killed'
  | 'signal'
  | 'risk'
  | 'policy'
  | 'config'
  | 'unknown-outcome'
  | 'not-activated'

/** The ending queue's lanes, most urgent first. A task's own end never rides in `kill`. */
export type Lane = 'kill' | 'end' | 'expiry' | 'cleanup'
export const LANES: readonly Lane[] = ['kill', 'end', 'expiry', 'cleanup']

/** Every move a lease may make: `from` states on the left of each name. */
export const LEASE_TRANSITIONS = {
  activate: { from: ['reserved'], to: 'active' },
  fail: { from: ['reserved'], to: 'failed' },
  end: { from: ['reserved', 'active'], to: 'ending' },
  finish: { from: ['ending'], to: 'ended' },
  /** It turned out to be alive after all: a mint that landed late, drift. */
  lose: { from: ['ended', 'failed'], to: 'ending' },
} as const satisfies Record<string, { from: readonly LeaseState[]; to: LeaseState }>

/** Live: something at an upstream may still honour it. */
export const LIVE_STATES: readonly LeaseState[] = ['reserved', 'active', 'ending']

/** How an end bites at an upstream, strongest first. */
export const REVOCABILITIES = ['immediate', 'propagating', 'expiry'] as const
export type Revocability = (typeof REVOCABILITIES)[number]

/** The proof that an upstream refuses a credential: how it was seen, where, when. */
export interface ContainmentProof {
  readonly method: string
  readonly regions?: readonly string[]
  readonly at: number
}

/** The record and life of one issued access. Instants are epoch milliseconds. */
export interface Lease {
  readonly id: LeaseId
  readonly task: TaskId
  readonly agent: string
  /** Through whom its task came to its work. */
  readonly chain: Chain
  readonly tenant: string
  /** `<issuer name>/<sub>` */
  readonly workload: string
  readonly issuer: string
  readonly entitlement: string
  readonly provider: string
  /** The upstream thing it is drawn on, readable: a role ARN, a Vault path, a service account. */
  readonly target: string
  /** Leases of one group share one upstream document; null where each stands alone. */
  readonly group: string | null
  readonly state: LeaseState
  readonly containment: Containment | null
  readonly proof: ContainmentProof | null
  readonly cause: EndCause | null
  readonly generation: number
  readonly createdAt: number
  readonly ttlSeconds: number
  readonly expiresAt: number
  /** When the upstream itself stops honouring it; null before the first mint answered. */
  readonly nativeExpiresAt: number | null
  /** Native expiry plus mint deadline and skew: nothing is forgotten before it. */
  readonly latestPossibleExpiry: number
  /** The latest moment it can still work, as far as is known for sure. */
  readonly exposedUntil: number
  readonly endingSince: number | null
  readonly endedAt: number | null
  readonly upstreamName: string
  readonly scope: Readonly<Record<string, unknown>>
  readonly residuals: readonly string[]
  readonly revocability: Revocability
  readonly decision: DecisionId
  /** Whose yes it took, if it took one. */
  readonly approval: ApprovalId | null
  readonly policyHash: string
  readonly slot: string | null
  /** What the provider needs to end it; never a secret. Null while unknown. */
  readonly handle: Readonly<Record<string, unknown>> | null
  readonly lane: Lane | null
  readonly dueAt: number | null
  readonly attempts: number
  readonly lastError: string | null
  /** Of what is shown to operators: some part of its row cannot be read and is left empty. */
  readonly unreadable?: true
}
