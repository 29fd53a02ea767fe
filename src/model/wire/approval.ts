import type { ApprovalCause, ApprovalState } from '../approval.ts'
import type { Revocability } from '../lease.ts'
import type { ActWire } from './act.ts'
import type { IntentItemWire } from './intent.ts'

/** Instead of a credential: somebody has to say yes first. */
export interface AwaitsApprovalWire {
  approval: ApprovalWire
}

export interface ApprovalWire {
  id: string
  state: ApprovalState
  /** Why it expired. */
  cause?: ApprovalCause
  task: string
  agent: string
  /** Absent where nobody delegated. */
  act?: ActWire
  tenant: string
  entitlement: string
  provider: string
  target: string
  intent: IntentItemWire[]
  scope: Record<string, unknown>
  zone: string
  datasets: string[]
  impact: string[]
  residuals: string[]
  revocability: Revocability
  ttl_seconds: number
  created_at: string
  /** Until when it can be decided or, once granted, used. */
  expires_at: string
  decided_at?: string
  lease?: string
  /** For operators alone. */
  review?: {
    /** The purpose as the agent put it: a claim, not a fact. */
    agents_own_words: string
    workload: string
    risk: { level: 'LOW' | 'MEDIUM' | 'HIGH'; reasons: string[] }
    policies: string[]
    policy_hash: string
    grant: string
    decision: string
    decided_by?: string
    reason?: string
  }
}
