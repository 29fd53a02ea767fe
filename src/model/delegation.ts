import type { DecisionId, DelegationId, TaskId } from '../ids.ts'
import type { IntentItem } from './intent.ts'

/**
 * Work that a task passes on: one agent may open one task for it, within `intent` and no longer
 * than `deadline`. Its token is opaque, random, stored as a hash, and dead once used, expired, or
 * with the task that delegated. Instants are epoch milliseconds.
 */
export interface Delegation {
  readonly id: DelegationId
  /** The task that delegated. */
  readonly task: TaskId
  /** Who alone may use it. */
  readonly agent: string
  readonly tenant: string
  /** The delegating agent's own text: shown, never an input to a decision. */
  readonly purpose: string | null
  readonly intent: readonly IntentItem[]
  readonly createdAt: number
  /** Until when its token opens a task. */
  readonly expiresAt: number
  /** The latest the opened task may last: never after the delegating task's own deadline. */
  readonly deadline: number
  readonly usedAt: number | null
  /** The task it opened. */
  readonly child: TaskId | null
  readonly decision: DecisionId
}
