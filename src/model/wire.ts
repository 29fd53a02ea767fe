/**
 * What travels over the HTTP API, as the server sends it and every client reads it (DESIGN §8).
 * Times are RFC 3339 in UTC, durations whole seconds, names in snake case.
 */
import type { ApprovalCause, ApprovalState } from './approval.ts'
import type { DriftKind } from './drift.ts'
import type { Containment, EndCause, Lane, LeaseState, Revocability } from './lease.ts'
import type { Proof } from './task.ts'

export type TaskState = 'open' | 'ended'
export type TaskOutcome = 'completed' | 'failed' | 'cancelled'

export interface IntentItemWire {
  type: string
  identifier?: string
  actions: string[]
  locations: string[]
  constraints?: Record<string, string[]>
}

/** Who acts outermost, who delegated first innermost (RFC 8693 §4.1). */
export interface ActWire {
  sub: string
  task?: string | undefined
  act?: ActWire | undefined
}

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

export interface LeaseWire {
  id: string
  task: string
  agent: string
  /** Absent where nobody delegated. */
  act?: ActWire
  tenant: string
  entitlement: string
  provider: string
  target: string
  state: LeaseState
  containment?: Containment
  proof?: { method: string; regions?: string[]; at: string }
  cause?: EndCause
  generation: number
  created_at: string
  expires_at: string
  native_expires_at?: string
  exposed_until: string
  ended_at?: string
  upstream_name: string
  scope: Record<string, unknown>
  residuals: string[]
  decision: string
  /** The one it took, if it took one. */
  approval?: string
  /** Its row is damaged: what cannot be read is left empty. */
  unreadable?: true
}

/** The secret part: sent once, in one answer, stored nowhere. */
export type CredentialWire =
  | {
      type: 'aws'
      access_key_id: string
      secret_access_key: string
      session_token: string
      region: string
      expires_at: string
    }
  | {
      type: 'vault'
      address: string
      namespace?: string
      token?: string
      data?: Record<string, unknown>
      expires_at: string
    }
  | { type: 'gcp'; access_token: string; service_account: string; expires_at: string }
  | {
      type: 'jwt'
      access_token: string
      token_type: 'Bearer' | 'DPoP'
      scope?: string
      expires_at: string
    }
  | { type: string; expires_at: string; [field: string]: unknown }

/** RFC 7662 §2.2: the claims of an access token that still counts. */
export type IntrospectionWire =
  | { active: false }
  | {
      active: true
      iss: string
      aud: string | string[]
      sub: string
      client_id: string
      tenant: string
      jti: string
      iat: number
      exp: number
      token_type: 'Bearer' | 'DPoP'
      scope?: string
      authorization_details: IntentItemWire[]
      cnf?: Record<string, string>
      act?: { sub: string; act?: object }
    }

/** RFC 8693 §2.2.1, with what belongs to the token here. */
export interface ExchangedWire {
  access_token: string
  issued_token_type: 'urn:ietf:params:oauth:token-type:access_token'
  token_type: 'Bearer' | 'DPoP'
  expires_in: number
  scope?: string
  authorization_details: IntentItemWire[]
  lease_id: string
  task_id: string
  /** Of the task that was opened for it. */
  task_token?: string
}

export interface OpenedTaskWire {
  task: TaskWire
  token: string
}

export interface DelegationWire {
  id: string
  task: string
  agent: string
  tenant: string
  purpose?: string
  intent: IntentItemWire[]
  created_at: string
  expires_at: string
  deadline: string
  decision: string
}

export interface DelegatedWire {
  delegation: DelegationWire
  token: string
}

export interface IssuedWire {
  lease: LeaseWire
  credential: CredentialWire
}

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

export interface RenewedWire extends IssuedWire {
  generation: number
}

export interface HeartbeatWire {
  task: TaskWire
  /** Leases of this task that ended since its last heartbeat, and why. */
  ended: { lease: string; entitlement: string; cause: string; ended_at: string }[]
}

export interface RequestableWire {
  entitlement: string
  provider: string
  target: string
  ceiling: IntentItemWire[]
  default_ttl_seconds: number
  max_ttl_seconds: number
  zone: string
  revocability: Revocability
  residuals: string[]
}

export interface ProviderWire {
  id: string
  type: string
  /** Open: it failed too often in that direction; nothing is minted there meanwhile. */
  circuits: Record<'mint' | 'revoke', { open: boolean; failures: number }>
  /** Why nothing is minted there now that would have to be ended early. */
  problem?: string
}

export interface EndingWire {
  lease: string
  provider: string
  target: string
  agent: string
  tenant: string
  lane: Lane
  containment: Containment
  cause?: EndCause
  ending_since: string
  age_seconds: number
  attempts: number
  next_try_at?: string
  last_error?: string
  exposed_until: string
  /** Its row is damaged: what cannot be read is left empty. */
  unreadable?: true
}

export interface KillWire {
  id: string
  selector: SelectorWire
  reason: string
  ordered_by: string
  created_at: string
  block?: string
  dry_run: boolean
  /** ordering: committed, its leases follow; ending: some could still work; ended: none can. */
  state?: 'ordering' | 'ending' | 'ended'
  counts: { leases: number; tasks: number; agents: number }
  progress: Record<Containment, number> & {
    /** Neither proved nor expired yet. */
    remaining: number
    oldest_ending_since?: string
    exposed_until?: string
  }
  /** Only of a dry run. */
  blast_radius?: BlastRadiusWire
  /** Its row is damaged: order it again. */
  unreadable?: true
}

/** Whom a kill would hit; the lists hold the 50 with the most leases. */
export interface BlastRadiusWire {
  refusable: number
  /** Leases that their upstream refuses already. */
  refused: number
  /** Leases that only run out, whoever kills them. */
  runs_out: number
  exposed_until?: string
  upstreams: {
    provider: string
    revocability: Revocability
    refusable: boolean
    leases: number
    refused: number
    exposed_until: string
  }[]
  entitlements: { entitlement: string; leases: number }[]
  agents: { agent: string; tenant: string; tasks: number; leases: number }[]
  tasks: {
    id: string
    agent: string
    tenant: string
    /** The agent's own text. */
    purpose: string
    leases: number
    /** False: it goes on without these leases, unless it has ended. */
    ends: boolean
    ended: boolean
  }[]
}

export interface SelectorWire {
  lease?: string
  task?: string
  agent?: string
  workload?: string
  tenant?: string
  entitlement?: string
  provider?: string
  target?: string
  issuer?: string
  policy_hash?: string
  all?: true
}

export interface BlockWire {
  id: string
  selector: SelectorWire
  reason: string
  created_by: string
  created_at: string
  expires_at?: string
  lifted_at?: string
  lifted_by?: string
  /** Its row is damaged: it stands against everybody until it is lifted. */
  unreadable?: true
}

export interface SignalWire {
  id: string
  source: string
  message_id: string
  received_at: string
  subject: SelectorWire
  level?: 'LOW' | 'MEDIUM' | 'HIGH'
  action: string
  reason: string
  expires_at?: string
  /** In its sender's words, and why it has no effect (action "note") where there is a reason. */
  about?: { event?: string; subject?: unknown; why?: string }
  kill?: string
  matched: { leases: number; tasks: number; agents: number }
  /** Its row is damaged: it counts as HIGH. */
  unreadable?: true
}

/** What a message would do if its source sent it now. */
export interface SignalTestWire {
  refused?: string
  signature?: 'right' | 'not-checked'
  message_id?: string
  about?: { event?: string; subject?: unknown; why?: string }
  /** Empty: nobody. */
  subjects?: SelectorWire[]
  level?: 'LOW' | 'MEDIUM' | 'HIGH'
  action?: 'kill' | 'block' | 'risk' | 'note'
  reason?: string
  ttl_seconds?: number
  matched?: { leases: number; tasks: number; agents: number }
}

export interface RiskWire {
  /** What says so: by it the risk is cleared. */
  signal: string
  subject: SelectorWire
  level: 'LOW' | 'MEDIUM' | 'HIGH'
  source: string
  reason: string
  since: string
  expires_at?: string
  /** Without a subject it is held against whoever its source may name. */
  unreadable?: true
}

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

export interface AuditEventWire {
  seq: number
  at: string
  type: string
  actor: string
  tenant?: string
  task?: string
  lease?: string
  data: Record<string, unknown>
  prev: string
  hash: string
  /** Its row is damaged: what cannot be read is left empty. */
  unreadable?: true
}

export interface AuditHeadWire {
  seq: number
  hash: string
  at: string
}

export interface AgentWire {
  id: string
  tenant: string
  owner: string
  proof: string
  open_tasks: number
  active_leases: number
  risk: 'LOW' | 'MEDIUM' | 'HIGH'
  blocked: boolean
}

export interface EntitlementWire {
  id: string
  tenants: string[]
  provider: string
  target: string
  ceiling: IntentItemWire[]
  zone: string
  default_ttl_seconds: number
  max_ttl_seconds: number
  revocability: string
  active_leases: number
}

export interface ReloadWire {
  applied: boolean
  /** What would change, one readable line each. */
  changes: string[]
  /** How many live leases it ends. */
  would_end: number
  /** Present when it waits: repeat the call with `confirm: <this>`. */
  confirm?: string
}

export interface PageWire<T> {
  items: T[]
  next_cursor: string | null
}

/** RFC 9457 problem details; `code` is closed. */
export interface ProblemWire {
  type: string
  title: string
  status: number
  code: string
  detail?: string
  request_id: string
  errors?: { path: string; message: string }[]
  retry_after?: number
}

/** One difference between an upstream and the store. */
export interface FindingWire {
  kind: DriftKind
  what: string
  upstream_name?: string
  slot?: string
  lease?: string
  works?: boolean
  repair: 'done' | 'possible' | 'failed' | 'none'
  error?: string
  advice: string
}

export interface ReconciliationWire {
  provider: string
  looked_at: string
  items?: number
  findings: FindingWire[]
  error?: string
}
