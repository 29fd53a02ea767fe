import { MayflyError } from '../errors.ts'
import { type DecisionId, newId } from '../ids.ts'
import type { Decision } from '../model/decision.ts'
import { deniedByRail, strictest } from '../model/decision.ts'
import type { Lease } from '../model/lease.ts'
import type { Risk } from '../model/risk.ts'
import type { Task } from '../model/task.ts'
import type { AgentQuestion } from '../policy/described.ts'
import type { TaskFacts, WorkloadFacts } from '../policy/question.ts'
import type { NewDecision } from '../store/store.ts'
import type { Broker, World } from './broker.ts'
import { keptInputs } from './kept-input.ts'
import { type CredentialRequest, type Plan, planCredential, type RailRefusal } from './plan.ts'
import type { Principal } from './principals.ts'

/** A decision, with what the policies were asked, if they were: several times for delegated work. */
export interface Decided extends Decision {
  readonly questions?: readonly AgentQuestion[]
}

interface CredentialFacts {
  readonly task: Task
  readonly plan: Plan
  readonly risk: Risk
  readonly activeLeases: number
  readonly now: number
}

/**
 * Asks the policies about a planned credential of this task, and of everybody whose work it does
 * (`above`, the nearest first): what one of them could not have, nobody gets in its name (P4).
 */
export function decideCredential(
  world: World,
  facts: CredentialFacts & { readonly above: readonly Principal[] },
): Decided {
  const own = decideForOne(world, facts)
  const { task, plan, above, now } = facts
  if (task.chain.length === 0) return own
  if (above.length !== task.chain.length) {
    const reason = 'a task it was delegated by is gone'
    return deniedByRail({ rail: 'chain', reason, policyHash: world.policy.hash })
  }
  const all = [own, ...above.map((one) => decideAbove(world, { ...one, plan, now }))]
  return { ...strictest(own, all), questions: all.flatMap((one) => one.questions ?? []) }
}

/** The same credential as if the delegating task asked for it itself. */
function decideAbove(world: World, facts: CredentialFacts): Decided {
  const { task, plan, now } = facts
  const { intent, entitlement, lifetime } = plan
  const request = { entitlement: entitlement.id, intent, ttlSeconds: lifetime.ttlSeconds }
  const planned = planCredential(world, task, request, { now, earliest: now })
  const by = `for ${task.agent}, which delegated: `
  if ('rail' in planned) {
    const { rail, message } = planned
    return deniedByRail({ rail, reason: `${by}${message}`, policyHash: world.policy.hash })
  }
  const decision = decideForOne(world, { ...facts, plan: planned })
  return { ...decision, reasons: decision.reasons.map((reason) => `${by}${reason}`) }
}

function decideForOne(world: World, facts: CredentialFacts): Decided {
  const { task, plan, risk, now } = facts
  const { entitlement, description } = plan
  const agent = world.agents.get(task.agent)
  const chain = task.chain.map((one) => world.agents.get(one.agent))
  const known = chain.filter((one) => one !== undefined)
  if (!agent || agent.tenant !== task.tenant || known.length < chain.length) {
    const reason = 'the agent is no longer configured'
    return deniedByRail({ rail: 'agent', reason, policyHash: world.policy.hash })
  }
  const { question, ...decision } = world.policy.decide({
    action: 'requestCredential',
    agent,
    ...factsOfTask(task, facts),
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
    risk,
    request: {
      ttlSeconds: plan.lifetime.ttlSeconds,
      actions: new Set(plan.intent.flatMap((item) => item.actions)),
      datasets: plan.datasets,
      impact: plan.impact,
    },
    chain: known,
    now,
  })
  return { ...decision, questions: [question] }
}

/** A task and its workload as policies see them. */
export function factsOfTask(
  task: Task,
  { activeLeases, now }: { readonly activeLeases: number; readonly now: number },
): { readonly workload: WorkloadFacts; readonly task: TaskFacts } {
  const { workload: name, issuer, proof, claims, depth, touched } = task
  const ageSeconds = Math.floor((now - task.createdAt) / 1000)
  return {
    workload: { name, issuer, proof, claims },
    task: { ageSeconds, depth, activeLeases, ...touched },
  }
}

/** What a decision about a credential is recorded as. */
export function credentialDecision(
  broker: Broker,
  facts: {
    readonly task: Task
    readonly request: CredentialRequest
    readonly decision: Decided
    readonly ttlSeconds: number | undefined
    readonly now: number
  },
): NewDecision {
  const { task, request, decision, now } = facts
  const id: DecisionId = newId('dec', broker)
  const record: NewDecision = {
    id,
    at: now,
    action: 'requestCredential',
    outcome: decision.outcome,
    agent: task.agent,
    tenant: task.tenant,
    workload: task.workload,
    task: task.id,
    entitlement: request.entitlement,
    chain: task.chain,
    policies: decision.policies,
    rails: decision.rails,
    reasons: decision.reasons,
    policyHash: decision.policyHash,
    request: {
      intent: request.intent ?? 'of the task',
      ttl_seconds: facts.ttlSeconds ?? request.ttlSeconds ?? null,
      ...(decision.questions && { inputs: keptInputs(decision.questions) }),
    },
  }
  broker.world().shadow?.note(broker, record, decision.questions ?? [])
  return record
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
  const { rail, code, message, retryAfterSeconds } = refusal
  const decision = deniedByRail({ rail, reason: message, policyHash: world.policy.hash })
  const about = { task, request, decision, ttlSeconds: undefined, now }
  await broker.store.decisions.refuse(credentialDecision(broker, about))
  throw new MayflyError(code, message, {
    detail: { ...(lease && { lease: lease.id }), rail },
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  })
}

/** Longer than any policy would accept unseen: the longest residual known is a 12 h token. */
const UNKNOWN_RESIDUAL_SECONDS = 43_200
