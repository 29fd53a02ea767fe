import type { Proof } from '../task.ts'
import type { ActWire } from './act.ts'
import type { IntentItemWire } from './intent.ts'

export type TaskState = 'open' | 'ended'
export type TaskOutcome = 'completed' | 'failed' | 'cancelled'

export interface TaskWire {
  id: string
  agent: string
  tenant: string
  workload: string
  proof: Proof
  /** What every call of a bound task must hold. */
  key?: string
  purpose: string
  intent: IntentItemWire[]
  labels: Record<string, string>
  state: TaskState
  outcome?: TaskOutcome
  /** Why it ended, where it did not end itself. */
  cause?: string
  parent?: string
  /** How often the work was passed on before it came here. */
  depth: number
  /** Absent where nobody delegated. */
  act?: ActWire
  /** How many tasks it delegated to; only where one task is shown. */
  children?: number
  created_at: string
  deadline: string
  heartbeat_seconds?: number
  heartbeat_due_at?: string
  ended_at?: string
  /** Its row is damaged: what cannot be read is left empty. */
  unreadable?: true
}

export interface OpenedTaskWire {
  task: TaskWire
  token: string
}

export interface HeartbeatWire {
  task: TaskWire
  /** Leases of this task that ended since its last heartbeat, and why. */
  ended: { lease: string; entitlement: string; cause: string; ended_at: string }[]
}
