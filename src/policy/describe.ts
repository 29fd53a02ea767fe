import type { AgentDescription, AgentQuestion } from './described.ts'
import type { AgentFacts, CredentialFacts, TaskFacts } from './question.ts'

/** Reasons of risk that are kept with a decision. */
const MAX_REASONS = 20

/** A question as plain data. */
export function describe(question: AgentQuestion): AgentDescription {
  const { workload: from, risk: trouble, now } = question
  const common = {
    agent: describeAgent(question.agent),
    workload: {
      name: from.name,
      issuer: from.issuer,
      proof: from.proof,
      claims: { ...from.claims },
    },
    risk: { level: trouble.level, reasons: trouble.reasons.slice(0, MAX_REASONS) },
    at: new Date(now).toISOString(),
  }
  if (question.action === 'openTask') {
    const { action, ttlSeconds, depth } = question
    return { action, ...common, ttl_seconds: ttlSeconds, depth }
  }
  const within = {
    ...common,
    task: describeTask(question.task),
    chain: question.chain.map(describeAgent),
  }
  if (question.action === 'act') {
    const { action, resource } = question
    const { name, impact } = question.act
    return {
      action,
      ...within,
      act: { name, impact: [...impact] },
      resource: { ...resource, datasets: [...resource.datasets] },
    }
  }
  const work = { ...within, request: describeRequest(question.request) }
  if (question.action === 'delegate') {
    return { action: question.action, ...work, executor: describeAgent(question.executor) }
  }
  const { action, entitlement } = question
  return {
    action,
    ...work,
    entitlement: {
      id: entitlement.id,
      provider: entitlement.provider,
      zone: entitlement.zone,
      tenants: [...entitlement.tenants],
      labels: [...(entitlement.labels ?? [])],
      revocability: entitlement.revocability,
      residual_seconds: entitlement.residualSeconds,
    },
  }
}

function describeTask(facts: TaskFacts) {
  return {
    age_seconds: facts.ageSeconds,
    depth: facts.depth,
    zones: [...facts.zones],
    datasets: [...facts.datasets],
    impact: [...facts.impact],
    active_leases: facts.activeLeases,
  }
}

function describeRequest(facts: CredentialFacts) {
  return {
    ttl_seconds: facts.ttlSeconds,
    actions: [...facts.actions],
    datasets: [...facts.datasets],
    impact: [...facts.impact],
  }
}

function describeAgent({ id, tenant, owner, labels }: AgentFacts) {
  return { id, tenant, owner, labels: [...(labels ?? [])] }
}
