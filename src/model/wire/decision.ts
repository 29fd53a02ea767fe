import type { ActWire } from './act.ts'

export interface DecisionWire {
  id: string
  at: string
  action: string
  outcome: 'permit' | 'deny' | 'needs-approval'
  agent: string
  tenant: string
  task?: string
  act?: ActWire
  entitlement?: string
  policies: string[]
  rails: string[]
  reasons: string[]
  policy_hash: string
  lease?: string
  /** What the policies were asked; only where asked for. */
  inputs?: Record<string, unknown>[]
  /** What shadow policies would have decided, where that is something else. */
  shadow?: VerdictWire
  /** Its row is damaged: what cannot be read is left empty. */
  unreadable?: true
}

/** Why a decision was made, and what another would have needed. */
export interface ExplanationWire {
  decision: DecisionWire
  /** What the task or request asked for; `of the task` where it named nothing less. */
  intent: unknown
  /** What the policies were asked, its own first, then for those who delegated it. */
  inputs: Record<string, unknown>[]
  /** Those that determined it, as they stood; without text if their set is not kept any more. */
  policies: { id: string; file?: string; text?: string }[]
  /** What the policies in force say to the same input. */
  in_force?: VerdictWire
  needed: string[]
}

/** What a policy set says to one input. */
export interface VerdictWire {
  outcome: DecisionWire['outcome']
  policies: string[]
  reasons: string[]
  policy_hash: string
}

export interface SimulationWire {
  inputs: Record<string, unknown>[]
  verdict: VerdictWire
  in_force: VerdictWire
  /** What the policies in force would have needed for a permit. */
  needed: string[]
}
