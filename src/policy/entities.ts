import type { EntityJson } from '@cedar-policy/cedar-wasm/nodejs'
import { id, long, ref } from './cedar-value.ts'
import type { AgentFacts, EntitlementFacts, WorkloadFacts } from './question.ts'

/** Each agent once, whatever parts it plays. */
export function agentEntities(agents: readonly AgentFacts[]): EntityJson[] {
  return [...new Map(agents.map((each) => [each.id, each])).values()].map(agentEntity)
}

export function agentEntity(agent: AgentFacts): EntityJson {
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

export function workloadEntity(workload: WorkloadFacts): EntityJson {
  return {
    uid: id('Workload', workload.name),
    attrs: { issuer: workload.issuer, proof: workload.proof },
    parents: [],
    tags: workload.claims,
  }
}

export function entitlementEntity(entitlement: EntitlementFacts): EntityJson {
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

export function bare(type: string, name: string): EntityJson {
  return { uid: id(type, name), attrs: {}, parents: [] }
}
