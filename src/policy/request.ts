import type { CedarValueJson, EntityJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs'
import { actionId, id, long, nowRecord, ref, riskRecord } from './cedar-value.ts'
import { agentEntities, agentEntity, bare, entitlementEntity, workloadEntity } from './entities.ts'
import type {
  ActQuestion,
  CredentialQuestion,
  DelegateQuestion,
  EvaluateQuestion,
  OpenTaskQuestion,
  OperatorQuestion,
  PolicyQuestion,
} from './question.ts'

/** A question in Cedar's own terms, with no more entities than a policy can look into. */
export interface CedarRequest {
  readonly principal: TypeAndId
  readonly action: TypeAndId
  readonly resource: TypeAndId
  readonly context: Record<string, CedarValueJson>
  readonly entities: EntityJson[]
}

/** The one `System` entity there is. */
const SYSTEM_ID = 'mayfly'

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
