import type { Actor } from '../audit/events.ts'
import type { BlockId, DelegationId, TaskId } from '../ids.ts'
import type { Task, TaskCause, TaskOutcome } from '../model/task.ts'
import type { NewDecision } from './decision-store.ts'
import type { Page } from './page.ts'

export type NewTask = Pick<
  Task,
  | 'id'
  | 'agent'
  | 'tenant'
  | 'workload'
  | 'issuer'
  | 'proof'
  | 'key'
  | 'claims'
  | 'purpose'
  | 'intent'
  | 'labels'
  | 'createdAt'
  | 'deadline'
  | 'heartbeatSeconds'
> & { readonly tokenHash: string }

/**
 * Evidence or a DPoP proof that is good for one use; from `expiresAt` on it is refused anyway. What
 * was made before an older database was restored may have been used: it counts as used.
 */
export interface OneTimeEvidence {
  readonly id: string
  readonly issuedAt: number
  readonly expiresAt: number
}

/** The instance of a workload that opens a task, whose first key stays its key. */
export interface Instance {
  readonly name: string
  /** When its evidence was made; what it showed before a restore is unknown. */
  readonly issuedAt: number
  /** Until when a first key is pinned; later evidence of the same instance prolongs it. */
  readonly pinnedUntil: number
}

export type OpenTaskResult =
  | { readonly ok: true; readonly task: Task }
  | { readonly ok: false; readonly why: 'blocked'; readonly block: BlockId }
  | {
      readonly ok: false
      readonly why:
        | 'limit'
        | 'evidence-used'
        | 'proof-used'
        /** It was made before an older database was restored, and may have shown a key since. */
        | 'before-restore'
        | 'other-key'
        | 'key-missing'
        /** It is not there any more, for this agent, to be used now. */
        | 'delegation'
        | 'tree-limit'
    }

export interface TaskFilter {
  readonly tenants: readonly string[] | null
  readonly agent?: string
  readonly tenant?: string
  readonly state?: Task['state']
  /** Only what this task delegated. */
  readonly parent?: string
  /** Only this task and everything below it. */
  readonly tree?: string
}

export interface TaskStore {
  /**
   * Opens a task unless a live block, the agent's cap, spent evidence or the key its workload's
   * instance showed before stands against it; a first key is pinned. With a `delegation`, below the
   * task that delegated, and only if this is its first use.
   */
  open(
    task: NewTask,
    against: {
      readonly openTasksPerAgent: number
      readonly evidence: OneTimeEvidence | undefined
      /** The DPoP proof its key was shown with. */
      readonly proof?: OneTimeEvidence | undefined
      /** Absent: the evidence names its key itself, nothing is pinned. */
      readonly instance?: Instance | undefined
      readonly delegation?: { readonly id: DelegationId; readonly tasksPerTree: number } | undefined
      readonly decision: NewDecision
    },
  ): Promise<OpenTaskResult>
  /** Keeps what is good for one use; false if it was used before. Survives a restart. */
  spend(once: OneTimeEvidence, now: number): Promise<boolean>
  /**
   * The task whose token has this hash: of `id`, or, without one, any that is still open. An ended
   * task's token is dead, and only whoever holds it learns that.
   */
  byToken(tokenHash: string, id?: TaskId): Promise<Task | undefined>
  byId(id: TaskId): Promise<Task | undefined>
  /** The same for an operator's eyes, also where its row cannot be read as a whole. */
  shown(id: TaskId): Promise<Task | undefined>
  /** The tasks of its chain, nearest first; one that is gone is missing. */
  above(task: Pick<Task, 'chain'>): Promise<readonly Task[]>
  /** How many tasks it delegated to, ended ones too. */
  countChildren(id: TaskId): Promise<number>
  /** Moves the dead man's switch of an open task; undefined if it is no longer open. */
  heartbeat(id: TaskId, now: number): Promise<Task | undefined>
  /** Ends an open task, its descendants and all their leases; false if it was not open. */
  end(order: {
    readonly id: TaskId
    readonly cause: TaskCause
    readonly outcome: TaskOutcome | null
    readonly actor: Actor
    readonly now: number
  }): Promise<boolean>
  /** Open tasks past their deadline or silent too long, oldest first; also those nobody can read. */
  due(now: number, limit: number): Promise<readonly Pick<Task, 'id' | 'deadline'>[]>
  /** Gives each task with a heartbeat two fresh intervals: time nobody listened does not count. */
  forgiveSilence(now: number): Promise<number>
  /** The next instant at which a task may be due. */
  nextDue(): Promise<number | undefined>
  list(filter: TaskFilter, page: Page): Promise<readonly Task[]>
  /** How many tasks each agent has open; an agent without any is absent. */
  openCounts(): Promise<ReadonlyMap<string, number>>
}
