import type { Actor } from '../audit/events.ts'
import type { DecisionId, LeaseId, TaskId } from '../ids.ts'
import type { Chain } from '../model/chain.ts'
import type { Page } from './page.ts'

export interface NewDecision {
  readonly id: DecisionId
  readonly at: number
  readonly action: string
  /** Who asked, for the audit log; absent: the agent itself. */
  readonly by?: Actor
  readonly outcome: 'permit' | 'deny' | 'needs-approval'
  readonly agent: string
  readonly tenant: string
  readonly workload: string
  readonly task: TaskId | null
  readonly entitlement: string | null
  /** Through whom the asking task came to its work; absent: nobody. */
  readonly chain?: Chain
  readonly policies: readonly string[]
  readonly rails: readonly string[]
  readonly reasons: readonly string[]
  readonly policyHash: string
  /** What was decided on, enough to decide it again; no secret. */
  readonly request: Readonly<Record<string, unknown>>
}

export interface DecisionRecord extends NewDecision {
  readonly chain: Chain
  readonly lease: LeaseId | null
  /** What shadow policies would have decided, where that is something else. */
  readonly shadow?: ShadowDifference
  /** Of what is shown to operators: some part of its row cannot be read and is left empty. */
  readonly unreadable?: true
}

/** A policy as it stood when decisions were made by it. */
export interface KeptPolicy {
  readonly id: string
  readonly file: string
  readonly text: string
}

/** A decision that shadow policies would have made differently. */
export interface ShadowDifference {
  readonly decision: DecisionId
  readonly outcome: NewDecision['outcome']
  readonly policies: readonly string[]
  readonly reasons: readonly string[]
  readonly policyHash: string
}

export interface DecisionFilter {
  readonly tenants: readonly string[] | null
  readonly agent?: string
  readonly task?: string
  readonly outcome?: DecisionRecord['outcome']
  /** Only from this instant on. */
  readonly since?: number
  /** Only those that shadow policies would have made differently. */
  readonly shadowDiffers?: true
}

export interface DecisionStore {
  /** Records a refusal, with its audit event. */
  refuse(decision: NewDecision): Promise<void>
  /** Keeps the text of a set that comes into force; the oldest make room. */
  keepPolicies(set: {
    readonly hash: string
    readonly policies: readonly KeptPolicy[]
    readonly now: number
  }): Promise<void>
  /** The set of that hash; undefined if it is not kept (any more). */
  policiesOf(hash: string): Promise<readonly KeptPolicy[] | undefined>
  /** Keeps what shadow policies would have decided; the oldest make room. */
  noteShadow(differences: readonly ShadowDifference[]): Promise<void>
  byId(id: DecisionId): Promise<DecisionRecord | undefined>
  list(filter: DecisionFilter, page: Page): Promise<readonly DecisionRecord[]>
}
