import type { TaskId } from '../ids.ts'

/** One who passed work on: an agent, by the task it did so in. */
export interface Delegator {
  readonly agent: string
  readonly task: TaskId
}

/** Through whom a task came to its work, the nearest first; empty where nobody delegated it. */
export type Chain = readonly Delegator[]
