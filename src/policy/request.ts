import type { CedarValueJson, EntityJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs'
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

/** A question in Cedar's own terms, with no more entities than a policy can look into. */
export interface CedarRequest {
  readonly principal: TypeAndId
  readonly action: TypeAndId
  readonly resource: TypeAndId
  readonly context: Record<string, CedarValueJson>
  readonly entities: EntityJson[]
}

/** The one `System` entity there is. */
export const SYSTEM_ID = 'mayfly'

export function cedarRequest(question: PolicyQuestion): CedarRequest {
  if (question.action === 'openTask') return openTask(question)
  if (question.action === 'requestCredential') return requestCredential(question)
  if (question.action === 'delegate') return delegation(question)
  if (question.action === 'act') return act(question)
  if (question.action === 'evaluate') return evaluation(question)
  return operatorAct(question)
}

/** The same request for the action that an approval would make possible. */
export function withApproval(request: CedarRequest): CedarRequest {
  return { ...request, action: actionId('requestCredentialWithApproval') }
}

function openTask({ agent, workload, risk, ttlSeconds, depth, now }: OpenTaskQuestion) {
  return {
    principal: id('Agent', agent.id),
    action: actionId('openTask'),
    resource: id('Tenant', agent.tenant),
    context: {
      workload: ref('Workload', workload.name),
      risk: riskRecord(risk),
      now: nowRecord(now),
      ttlSeconds: long(ttlSeconds),
      depth: long(depth),
    },
    entities: [agentEntity(agent), workloadEntity(workload), bare('Tenant', agent.tenant)],
  }
}

function requestCredential(question: CredentialQuestion): CedarRequest {
  const { agent, workload, entitlement, chain } = question
  return {
    principal: id('Agent', agent.id),
    action: actionId('requestCredential'),
    resource: id('Entitlement', entitlement.id),
    context: workContext(question),
    entities: [
      ...agentEntities([agent, ...chain]),
      workloadEntity(workload),
      entitlementEntity(entitlement),
    ],
  }
}

function delegation(question: DelegateQuestion): CedarRequest {
  const { agent, executor, workload, chain } = question
  return {
    principal: id('Agent', agent.id),
    action: actionId('delegate'),
    resource: id('Agent', executor.id),
    context: workContext(question),
    entities: [...agentEntities([agent, executor, ...chain]), workloadEntity(workload)],
  }
}

function act(question: ActQuestion): CedarRequest {
  const { agent, workload, resource, chain } = question
  const { name, impact } = question.act
  return {
    principal: id('Agent', agent.id),
    action: actionId('act'),
    resource: id('Resource', resource.id),
    context: { ...taskContext(question), action: { name, impact: [...impact] } },
    entities: [
      ...agentEntities([agent, ...chain]),
      workloadEntity(workload),
      {
        uid: id('Resource', resource.id),
        attrs: {
          type: resource.type,
          zone: ref('Zone', resource.zone),
          datasets: [...resource.datasets],
        },
        parents: [],
      },
    ],
  }
}

function evaluation({ gateway, tenant, now }: EvaluateQuestion): CedarRequest {
  return {
    principal: id('Gateway', gateway.name),
    action: actionId('evaluate'),
    resource: id('Tenant', tenant),
    context: { now: nowRecord(now) },
    entities: [
      {
        uid: id('Gateway', gateway.name),
        attrs: { tenants: gateway.tenants.map((one) => ref('Tenant', one)) },
        parents: gateway.tenants.map((one) => id('Tenant', one)),
      },
      bare('Tenant', tenant),
    ],
  }
}

/** The context of what an agent asks for within a task. */
function workContext(question: CredentialQuestion | DelegateQuestion): CedarRequest['context'] {
  const { request } = question
  return {
    ...taskContext(question),
    request: {
      ttlSeconds: long(request.ttlSeconds),
      actions: [...request.actions],
      datasets: [...request.datasets],
      impact: [...request.impact],
    },
  }
}

/** The context of everything an agent does within a task. */
function taskContext({
  workload,
  task,
  risk,
  chain,
  now,
}: CredentialQuestion | DelegateQuestion | ActQuestion): CedarRequest['context'] {
  return {
    workload: ref('Workload', workload.name),
    task: {
      ageSeconds: long(task.ageSeconds),
      depth: long(task.depth),
      zones: [...task.zones].map((zone) => ref('Zone', zone)),
      datasets: [...task.datasets],
      impact: [...task.impact],
      activeLeases: long(task.activeLeases),
    },
    risk: riskRecord(risk),
    now: nowRecord(now),
    chain: chain.map((each) => ref('Agent', each.id)),
  }
}

/** Each agent once, whatever parts it plays. */
function agentEntities(agents: readonly AgentFacts[]): EntityJson[] {
  return [...new Map(agents.map((each) => [each.id, each])).values()].map(agentEntity)
}

function operatorAct(question: OperatorQuestion): CedarRequest {
  const { operator, action, now } = question
  const resource = 'tenant' in question ? id('Tenant', question.tenant) : id('System', SYSTEM_ID)
  return {
    principal: id('Operator', operator.name),
    action: actionId(action),
    resource,
    context: { now: nowRecord(now) },
    entities: [
      {
        uid: id('Operator', operator.name),
        attrs: {
          tenants: operator.tenants.filter((t) => t !== '*').map((t) => ref('Tenant', t)),
          allTenants: operator.tenants.includes('*'),
        },
        parents: operator.roles.map((role) => id('Role', role)),
      },
      { uid: resource, attrs: {}, parents: [] },
    ],
  }
}

function agentEntity(agent: AgentFacts): EntityJson {
  return {
    uid: id('Agent', agent.id),
    attrs: {
      tenant: ref('Tenant', agent.tenant),
      owner: agent.owner,
      labels: [...(agent.labels ?? [])],
    },
    parents: [id('Tenant', agent.tenant)],
  }
}

function workloadEntity(workload: WorkloadFacts): EntityJson {
  return {
    uid: id('Workload', workload.name),
    attrs: { issuer: workload.issuer, proof: workload.proof },
    parents: [],
    tags: workload.claims,
  }
}

function entitlementEntity(entitlement: EntitlementFacts): EntityJson {
  return {
    uid: id('Entitlement', entitlement.id),
    attrs: {
      provider: entitlement.provider,
      zone: ref('Zone', entitlement.zone),
      tenants: entitlement.tenants.map((tenant) => ref('Tenant', tenant)),
      labels: [...(entitlement.labels ?? [])],
      revocability: entitlement.revocability,
      residualSeconds: long(entitlement.residualSeconds),
    },
    parents: [],
  }
}

function bare(type: string, name: string): EntityJson {
  return { uid: id(type, name), attrs: {}, parents: [] }
}

function riskRecord(risk: Risk): CedarValueJson {
  return { level: risk.level, reasons: [...risk.reasons] }
}

function nowRecord(now: number): CedarValueJson {
  const date = new Date(now)
  return { hour: date.getUTCHours(), weekday: date.getUTCDay() === 0 ? 7 : date.getUTCDay() }
}

/** Cedar's `Long` is whole; rounding up never makes a lifetime or an age look smaller. */
function long(value: number): number {
  return Math.ceil(value)
}

function id(type: string, name: string): TypeAndId {
  return { type: `Mayfly::${type}`, id: name }
}

function ref(type: string, name: string): CedarValueJson {
  return { __entity: id(type, name) }
}

function actionId(name: string): TypeAndId {
  return id('Action', name)
}
