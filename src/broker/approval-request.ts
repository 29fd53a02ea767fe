import { hash } from 'node:crypto'
import { canonicalJson } from '../audit/chain.ts'
import { newId } from '../ids.ts'
import { highest, type Risk } from '../model/risk.ts'
import type { Task } from '../model/task.ts'
import type { ApprovalRequest, NewDecision } from '../store/store.ts'
import type { Broker, World } from './broker.ts'
import type { CredentialRequest, Plan } from './plan.ts'
import type { Principal } from './principals.ts'

/** What is asked of whoever may say yes, and bound to: see `grantOf`. */
export function approvalRequest(
  broker: Broker,
  facts: {
    readonly world: World
    readonly task: Task
    readonly request: CredentialRequest
    readonly plan: Plan
    readonly risk: Risk
    readonly above: readonly Principal[]
    readonly record: NewDecision
    readonly now: number
  },
): ApprovalRequest {
  const { world, task, request, plan, record, now } = facts
  const { approvals } = world.config
  const { entitlement, description } = plan
  return {
    id: newId('appr', broker),
    grant: grantOf(world, task, { request, plan }),
    shown: {
      purpose: task.purpose,
      intent: plan.intent,
      scope: description.scope,
      zone: entitlement.zone,
      datasets: [...plan.datasets].toSorted(),
      impact: [...plan.impact].toSorted(),
      residuals: description.residuals,
      revocability: description.revocability,
      risk: riskOfAll([facts.risk, ...facts.above.map(({ risk }) => risk)]),
      policies: record.policies,
    },
    ttlSeconds: ttlAskedFor(request, plan),
    expiresAt: Math.min(now + approvals.pendingTtlSeconds * 1000, task.deadline),
    pendingPerAgent: approvals.pendingPerAgent,
    perHourPerAgent: approvals.perHourPerAgent,
    coolDownSeconds: approvals.coolDownSeconds,
    notice: approvals.webhook !== undefined,
  }
}

/**
 * SHA-256, lower-case hex, over the RFC 8785 JSON of everything that makes a request what it is:
 * who asks, for whom, what it compiles to and where, for how long, under which policies. Whatever
 * of it changes makes another grant, which nobody has said yes to.
 */
export function grantOf(
  world: World,
  task: Task,
  { request, plan }: { readonly request: CredentialRequest; readonly plan: Plan },
): string {
  const { entitlement, instance, description, intent } = plan
  const grant = {
    agent: task.agent,
    tenant: task.tenant,
    task: task.id,
    chain: task.chain,
    entitlement: entitlement.id,
    provider: entitlement.provider,
    upstream: instance.upstream,
    target: description.target,
    target_spec: entitlement.target,
    zone: entitlement.zone,
    intent,
    scope: description.scope,
    datasets: [...plan.datasets].toSorted(),
    impact: [...plan.impact].toSorted(),
    residuals: description.residuals,
    revocability: description.revocability,
    ttl_seconds: ttlAskedFor(request, plan),
    policy_hash: world.policy.hash,
  }
  // Through JSON first: settings may hold fields that are undefined, which canonical JSON has not.
  return hash('sha256', canonicalJson(JSON.parse(JSON.stringify(grant))), 'hex')
}

/** Without the task's deadline, which shortens every later request by what has passed since. */
function ttlAskedFor(
  { ttlSeconds }: CredentialRequest,
  { entitlement, description }: Plan,
): number {
  return Math.min(
    ttlSeconds ?? entitlement.defaultTtlSeconds,
    entitlement.maxTtlSeconds,
    description.lifetime.maxSeconds,
  )
}

function riskOfAll(risks: readonly Risk[]): Risk {
  const level = highest(risks.map((risk) => risk.level))
  const reasons = risks.flatMap((risk) => (risk.level === level ? risk.reasons : []))
  return { level, reasons: [...new Set(reasons)] }
}
