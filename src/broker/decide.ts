import { MayflyError } from '../errors.ts'
import { type DecisionId, newId } from '../ids.ts'
import type { Decision } from '../model/decision.ts'
import { deniedByRail } from '../model/decision.ts'
import type { Lease } from '../model/lease.ts'
import type { Risk } from '../model/risk.ts'
import type { Task } from '../model/task.ts'
import type { NewDecision } from '../store/store.ts'
import type { Broker, World } from './broker.ts'
import type { CredentialRequest, Plan, RailRefusal } from './plan.ts'

/** Asks the policies about a planned credential of this task. */
export function decideCredential(
  world: World,
  facts: {
    readonly task: Task
    readonly plan: Plan
    readonly risk: Risk
    readonly activeLeases: number
    readonly now: number
  },
): Decision {
  const { task, plan, risk, activeLeases, now } = facts
  const { entitlement, description } = plan
  const agent = world.agents.get(task.agent)
  if (!agent || agent.tenant !== task.tenant) {
    const reason = 'the agent is no longer configured'
    return deniedByRail({ rail: 'agent', reason, policyHash: world.policy.hash })
  }
  return world.policy.decide({
    action: 'requestCredential',
    agent,
    workload: {
      name: task.workload,
      issuer: task.issuer,
      proof: task.proof,
      claims: task.claims,
    },
    entitlement: {
      id: entitlement.id,
      provider: entitlement.provider,
      zone: entitlement.zone,
      tenants: entitlement.tenants,
      labels: entitlement.labels,
      revocability: description.revocability,
      // How long residuals live is not known before C's receipts; that there are any is.
      residualSeconds: description.residuals.length === 0 ? 0 : UNKNOWN_RESIDUAL_SECONDS,
    },
    task: {
      ageSeconds: Math.floor((now - task.createdAt) / 1000),
      depth: 0,
      zones: task.touched.zones,
      datasets: task.touched.datasets,
      impact: task.touched.impact,
      activeLeases,
    },
    risk,
    request: {
      ttlSeconds: plan.lifetime.ttlSeconds,
      actions: new Set(plan.intent.flatMap((item) => item.actions)),
      datasets: plan.datasets,
      impact: plan.impact,
    },
    chain: [],
    now,
  })
}

/** What a decision about a credential is recorded as. */
export function credentialDecision(
  broker: Broker,
  facts: {
    readonly task: Task
    readonly request: CredentialRequest
    readonly decision: Decision
    readonly risk: Risk | undefined
    readonly ttlSeconds: number | undefined
    readonly now: number
  },
): NewDecision {
  const { task, request, decision, risk, now } = facts
  const id: DecisionId = newId('dec', broker)
  return {
    id,
    at: now,
    action: 'requestCredential',
    outcome: decision.outcome,
    agent: task.agent,
    tenant: task.tenant,
    workload: task.workload,
    task: task.id,
    entitlement: request.entitlement,
    policies: decision.policies,
    rails: decision.rails,
    reasons: decision.reasons,
    policyHash: decision.policyHash,
    request: {
      intent: request.intent ?? 'of the task',
      ttl_seconds: facts.ttlSeconds ?? request.ttlSeconds ?? null,
      risk: risk?.level ?? null,
      touched: task.touched,
    },
  }
}

/** Records what a rail refuses and refuses it; with the lease that was to be renewed, if one was. */
export async function refuseByRail(
  broker: Broker,
  facts: {
    /** The one the rail was asked in. */
    readonly world: World
    readonly task: Task
    readonly request: CredentialRequest
    readonly refusal: RailRefusal
    readonly lease?: Lease
    readonly now: number
  },
): Promise<never> {
  const { world, task, request, refusal, lease, now } = facts
  const { rail, code, message } = refusal
  const decision = deniedByRail({ rail, reason: message, policyHash: world.policy.hash })
  const about = { task, request, decision, risk: undefined, ttlSeconds: undefined, now }
  await broker.store.decisions.refuse(credentialDecision(broker, about))
  throw new MayflyError(code, message, { detail: { ...(lease && { lease: lease.id }), rail } })
}

/** Longer than any policy would accept unseen: the longest residual known is a 12 h token. */
const UNKNOWN_RESIDUAL_SECONDS = 43_200
