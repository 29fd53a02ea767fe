import type { Risk } from '../model/risk.ts'

/** An agent as policies see it. */
export interface AgentFacts {
  readonly id: string
  readonly tenant: string
  readonly owner: string
  readonly labels?: readonly string[]
}

/** A verified workload as policies see it; its claims become tags. */
export interface WorkloadFacts {
  /** `<issuer name>/<sub>` */
  readonly name: string
  /** The issuer's name in the configuration. */
  readonly issuer: string
  readonly proof: 'bearer' | 'bound' | 'key'
  readonly claims: Readonly<Record<string, string>>
}

export interface EntitlementFacts {
  readonly id: string
  readonly provider: string
  readonly zone: string
  readonly tenants: readonly string[]
  readonly labels?: readonly string[]
  readonly revocability: 'immediate' | 'propagating' | 'expiry'
  /** How long what outlives the credential can go on working; 0 where nothing does. */
  readonly residualSeconds: number
}

/** What the task is and has touched so far. */
export interface TaskFacts {
  readonly ageSeconds: number
  readonly depth: number
  readonly zones: Iterable<string>
  readonly datasets: Iterable<string>
  readonly impact: Iterable<string>
  readonly activeLeases: number
}

export interface CredentialFacts {
  readonly ttlSeconds: number
  readonly actions: Iterable<string>
  readonly datasets: Iterable<string>
  readonly impact: Iterable<string>
}

export interface OpenTaskQuestion {
  readonly action: 'openTask'
  readonly agent: AgentFacts
  readonly workload: WorkloadFacts
  readonly risk: Risk
  readonly ttlSeconds: number
  readonly depth: number
  /** Epoch milliseconds. */
  readonly now: number
}

export interface CredentialQuestion {
  readonly action: 'requestCredential'
  readonly agent: AgentFacts
  readonly workload: WorkloadFacts
  readonly entitlement: EntitlementFacts
  readonly task: TaskFacts
  readonly risk: Risk
  readonly request: CredentialFacts
  /** The agents this request was delegated through; empty without delegation. */
  readonly chain: readonly AgentFacts[]
  /** Epoch milliseconds. */
  readonly now: number
}

/** May one agent pass this much of its work on to another? */
export interface DelegateQuestion {
  readonly action: 'delegate'
  readonly agent: AgentFacts
  /** Who is to do it. */
  readonly executor: AgentFacts
  readonly workload: WorkloadFacts
  readonly task: TaskFacts
  readonly risk: Risk
  /** Everything that is passed on, as one. */
  readonly request: CredentialFacts
  /** The agents the work came through before; empty for the first. */
  readonly chain: readonly AgentFacts[]
  /** Epoch milliseconds. */
  readonly now: number
}

/** One action on one resource, as somebody about to let an agent do it asks. */
export interface ActQuestion {
  readonly action: 'act'
  readonly agent: AgentFacts
  readonly workload: WorkloadFacts
  readonly task: TaskFacts
  readonly risk: Risk
  readonly act: { readonly name: string; readonly impact: Iterable<string> }
  readonly resource: ResourceFacts
  /** The agents the work came through; empty without delegation. */
  readonly chain: readonly AgentFacts[]
  /** Epoch milliseconds. */
  readonly now: number
}

export interface ResourceFacts {
  /** A location in the language of `type`, which is that of an intent item. */
  readonly id: string
  readonly type: string
  readonly zone: string
  readonly datasets: Iterable<string>
}

export interface GatewayFacts {
  readonly name: string
  readonly tenants: readonly string[]
}

/** May a gateway ask about the agents of a tenant? */
export interface EvaluateQuestion {
  readonly action: 'evaluate'
  readonly gateway: GatewayFacts
  readonly tenant: string
  /** Epoch milliseconds. */
  readonly now: number
}

export interface OperatorFacts {
  readonly name: string
  readonly roles: readonly string[]
  /** Tenants by name; `*` is all of them. */
  readonly tenants: readonly string[]
}

export type TenantAct = 'readLeases' | 'kill' | 'liftBlock' | 'approve' | 'readAudit'
export type SystemAct = 'administer' | 'sendSignal'

/** An operator's act on one tenant, or on the installation as a whole. */
export type OperatorQuestion = { readonly operator: OperatorFacts; readonly now: number } & (
  | { readonly action: TenantAct; readonly tenant: string }
  | { readonly action: SystemAct }
)

export type PolicyQuestion =
  | OpenTaskQuestion
  | CredentialQuestion
  | DelegateQuestion
  | ActQuestion
  | EvaluateQuestion
  | OperatorQuestion
