import type { TaskId } from '../ids.ts'
import type { Chain } from './chain.ts'
import type { Impact, IntentItem } from './intent.ts'
import type { KeyName } from './key.ts'

export type TaskState = 'open' | 'ended'
export type TaskOutcome = 'completed' | 'failed' | 'cancelled'

/** How strongly a request is tied to its workload, weakest first. */
export const PROOFS = ['bearer', 'bound', 'key'] as const
export type Proof = (typeof PROOFS)[number]

/** Why a task ended: by its own word (`ended`), or without anyone asking. */
export type TaskCause =
  | 'ended'
  | 'task-deadline'
  | 'heartbeat-lost'
  | 'parent-ended'
  | 'killed'
  | 'signal'
  | 'config'

/** One bounded piece of an agent's work. Instants are epoch milliseconds. */
export interface Task {
  readonly id: TaskId
  readonly agent: string
  readonly tenant: string
  /** `<issuer name>/<sub>` */
  readonly workload: string
  readonly issuer: string
  readonly proof: Proof
  /** Shown when it was opened and needed by every later call; null with proof `bearer`. */
  readonly key: KeyName | null
  /** The verified claims policies may read, flattened to strings. */
  readonly claims: Readonly<Record<string, string>>
  /** The agent's own text: shown, never an input to a decision. */
  readonly purpose: string
  readonly intent: readonly IntentItem[]
  readonly labels: Readonly<Record<string, string>>
  readonly state: TaskState
  readonly outcome: TaskOutcome | null
  readonly cause: TaskCause | null
  readonly parent: TaskId | null
  /** How often the work was passed on before it came here; 0 for a task nobody delegated. */
  readonly depth: number
  readonly chain: Chain
  readonly createdAt: number
  readonly deadline: number
  readonly heartbeatSeconds: number | null
  /** When silence ends it: two intervals after the last sign of life. */
  readonly heartbeatDueAt: number | null
  readonly lastHeartbeatAt: number | null
  readonly endedAt: number | null
  /** What its leases have touched so far, for policies. */
  readonly touched: {
    readonly zones: readonly string[]
    readonly datasets: readonly string[]
    readonly impact: readonly Impact[]
  }
  /** Of what is shown to operators: some part of its row cannot be read and is left empty. */
  readonly unreadable?: true
}

/** A task ends after this many missed beats (P7). */
export const MISSED_BEATS = 2
