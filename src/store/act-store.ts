import type { LeaseId, TaskId } from '../ids.ts'
import type { Task } from '../model/task.ts'
import type { NewDecision } from './decision-store.ts'

/** One action of a task on one resource, permitted by policy and about to be done. */
export interface Act {
  readonly task: TaskId
  /** The lease it is done with, where it is said. */
  readonly lease: LeaseId | undefined
  /** Each entitlement it lies within, as selectors name it. */
  readonly within: readonly {
    readonly entitlement: string
    readonly provider: string
    readonly target: string
  }[]
  readonly touches: Task['touched']
  /** What it was decided on: the task and those above it, as they had been touched then. */
  readonly decidedOn: readonly Pick<Task, 'id' | 'touched'>[]
  /** The risk mark it was decided under; another one by now: to be decided again. */
  readonly riskMark?: string
  readonly limits: { readonly highImpactPerHourPerAgent: number }
  readonly decision: NewDecision
  readonly now: number
}

export type ActResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly why: 'task-ended' | 'lease-ended' | 'blocked' }
  | { readonly ok: false; readonly why: 'high-impact-pace'; readonly retryAt: number }
  /** A request or a signal changed what this one was decided on: to be decided again. */
  | { readonly ok: false; readonly why: 'touched-since' }

export interface ActStore {
  /**
   * Records a permit, unless what is read in the same transaction stands against it: the task or
   * lease has ended, a block or kill names it, its agent acted too often. Then that is recorded.
   */
  permit(act: Act): Promise<ActResult>
}
