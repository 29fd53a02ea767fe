import { MayflyError } from '../errors.ts'
import type { AgentConfig } from '../identity/settings.ts'
import { newId, newToken } from '../ids.ts'
import { datasetsOf, impactsOf } from '../intent/impact.ts'
import { deniedByRail } from '../model/decision.ts'
import type { Delegation } from '../model/delegation.ts'
import type { Impact, IntentItem } from '../model/intent.ts'
import { highest, type Risk } from '../model/risk.ts'
import type { Task } from '../model/task.ts'
import { Secret } from '../secret.ts'
import type { DelegateResult, NewDecision } from '../store/store.ts'
import type { Broker, World } from './broker.ts'
import { beyondCeilings, beyondDelegator } from './cover-intent.ts'
import { type Decided, factsOfTask } from './decide.ts'
import { keptInputs } from './kept-input.ts'
import { notFound } from './not-found.ts'
import { hashToken } from './open-task.ts'
import { principalsAbove } from './principals.ts'
import { riskOfTask } from './risk.ts'

export interface DelegateRequest {
  /** Who is to do it. */
  readonly agent: string
  readonly intent: readonly IntentItem[]
  /** How long the executor's task may last; absent: as long as the one that delegates. */
  readonly ttlSeconds: number | undefined
  readonly purpose: string | undefined
}

/** A delegation and its token, which opens one task of one agent. */
export interface Delegated {
  readonly delegation: Delegation
  readonly token: Secret
}

/** What a refusal before any policy was asked says to the agent, and under which rail it is kept. */
interface Refused {
  readonly rail: string
  readonly error: MayflyError
}

/**
 * find executor → depth → cover intent → decide → commit
 *
 * Refuses with `not_found` for an agent that is not of this tenant, `invalid_intent`,
 * `intent_exceeded`, `policy_denied`, `blocked`, `limit_reached` or `task_ended`; what was decided
 * is recorded.
 */
export async function delegate(
  broker: Broker,
  task: Task,
  request: DelegateRequest,
): Promise<Delegated> {
  const world = broker.world()
  takeDelegatePace(broker, task.agent)
  const now = broker.clock.now()
  const executor = world.agents.get(request.agent)
  const { limits } = world.config
  const deadline = Math.min(task.deadline, now + (request.ttlSeconds ?? Infinity) * 1000)
  const ttlSeconds = Math.floor((deadline - now) / 1000)
  const refused = refusalOf(world, task, { executor, request })
  if (refused || !executor) {
    const { rail, error } = refused ?? noSuchAgent()
    const policyHash = world.policy.hash
    const decision = deniedByRail({ rail, reason: error.message, policyHash })
    const about = { task, request, ttlSeconds, decision, now }
    await broker.store.decisions.refuse(recordOf(broker, about))
    throw error
  }
  const risk = await riskOfChain(broker, task, now)
  const activeLeases = await broker.store.leases.countActive({ task: task.id })
  const facts = { task, executor, request, ttlSeconds, risk, activeLeases, now }
  const record = recordOf(broker, { ...facts, decision: decide(world, facts) })
  if (record.outcome !== 'permit') {
    await broker.store.decisions.refuse(record)
    const { id: decision, policies, reasons } = record
    throw new MayflyError(
      'policy_denied',
      `no policy permits this delegation (decision ${decision})`,
      {
        detail: { decision, policies, reasons },
      },
    )
  }

  const token = newToken('mfd', broker.random)
  const created = await broker.store.delegations.create(
    {
      id: newId('dlg', broker),
      task: task.id,
      agent: executor.id,
      tenant: task.tenant,
      purpose: request.purpose ?? null,
      intent: request.intent,
      createdAt: now,
      expiresAt: Math.min(deadline, now + limits.delegationTokenTtlSeconds * 1000),
      deadline,
      tokenHash: hashToken(token),
    },
    { delegationsPerTask: limits.delegationsPerTask, decision: record },
  )
  if (!created.ok) throw notCreated(created)
  return { delegation: created.delegation, token: new Secret(token) }
}

/** Delegating is as frequent as issuing at most; refused before anything is written. */
function takeDelegatePace({ pace, world }: Broker, agent: string): void {
  const wait = pace.take(`delegate ${agent}`, world().config.limits.issuesPerMinutePerAgent)
  if (wait === undefined) return
  throw new MayflyError('limit_reached', 'the agent delegated too often this minute', {
    retryAfterSeconds: wait,
  })
}

function refusalOf(
  world: World,
  task: Task,
  { executor, request }: { executor: AgentConfig | undefined; request: DelegateRequest },
): Refused | undefined {
  // Another tenant's agent is an unknown one (P11).
  if (executor?.tenant !== task.tenant) return noSuchAgent()
  const { delegationMaxDepth } = world.config.limits
  if (task.depth >= delegationMaxDepth) {
    const message = `work is passed on at most ${delegationMaxDepth} times`
    return { rail: 'depth', error: new MayflyError('limit_reached', message) }
  }
  const error =
    beyondCeilings(world, task, request.intent) ??
    beyondDelegator(world, task.intent, request.intent)
  if (!error) return undefined
  return { rail: error.code === 'invalid_intent' ? 'intent-form' : 'intent', error }
}

function noSuchAgent(): Refused {
  return { rail: 'executor', error: notFound('agent') }
}

/** Of everybody whose work it is: trouble of one is trouble of all who do it in its name. */
async function riskOfChain(broker: Broker, task: Task, now: number): Promise<Risk> {
  const above = await principalsAbove(broker, task, now)
  const risks = [await riskOfTask(broker, task, now), ...above.map(({ risk }) => risk)]
  const level = highest(risks.map((risk) => risk.level))
  const reasons = risks.flatMap((risk) => (risk.level === level ? risk.reasons : []))
  return { level, reasons: [...new Set(reasons)] }
}

function decide(
  world: World,
  facts: {
    task: Task
    executor: AgentConfig
    request: DelegateRequest
    ttlSeconds: number
    risk: Risk
    activeLeases: number
    now: number
  },
): Decided {
  const { task, executor, request, ttlSeconds, now, risk } = facts
  const agents = [task, ...task.chain].map(({ agent }) => world.agents.get(agent))
  const known = agents.filter((one) => one !== undefined && one.tenant === task.tenant)
  const [agent, ...chain] = known as AgentConfig[] // those not configured were left out
  if (!agent || known.length < agents.length) {
    const reason = 'an agent it is delegated by is no longer configured'
    return deniedByRail({ rail: 'agent', reason, policyHash: world.policy.hash })
  }
  const { question, ...decision } = world.policy.decide({
    action: 'delegate',
    agent,
    executor,
    ...factsOfTask(task, facts),
    risk,
    request: {
      ttlSeconds,
      actions: new Set(request.intent.flatMap((item) => item.actions)),
      ...effectsOf(world, request.intent),
    },
    chain,
    now,
  })
  return { ...decision, questions: [question] }
}

/** What the whole intent touches and can do; an item nobody understands was refused before. */
function effectsOf(
  world: World,
  intent: readonly IntentItem[],
): { readonly datasets: ReadonlySet<string>; readonly impact: ReadonlySet<Impact> } {
  const datasets = new Set<string>()
  const impact = new Set<Impact>()
  for (const item of intent) {
    const entitlement = world.entitlements.get(item.identifier ?? '')
    const instance = world.providers.get(entitlement?.provider ?? '')
    if (!entitlement || !instance) continue
    const { vocabulary } = instance.config.definition
    for (const one of datasetsOf([item], entitlement.datasets, vocabulary)) datasets.add(one)
    for (const one of impactsOf([item], vocabulary)) impact.add(one)
  }
  return { datasets, impact }
}

function recordOf(
  broker: Broker,
  facts: {
    task: Task
    request: DelegateRequest
    ttlSeconds: number
    decision: Decided
    now: number
  },
): NewDecision {
  const { task, request, ttlSeconds, now } = facts
  const { questions, ...decision } = facts.decision
  const record: NewDecision = {
    id: newId('dec', broker),
    at: now,
    action: 'delegate',
    ...decision,
    agent: task.agent,
    tenant: task.tenant,
    workload: task.workload,
    task: task.id,
    entitlement: null,
    chain: task.chain,
    request: {
      to: request.agent,
      intent: request.intent,
      ttl_seconds: ttlSeconds,
      ...(questions && { inputs: keptInputs(questions) }),
    },
  }
  broker.world().shadow?.note(broker, record, questions ?? [])
  return record
}

function notCreated(refused: Extract<DelegateResult, { ok: false }>): MayflyError {
  switch (refused.why) {
    case 'blocked':
      return new MayflyError('blocked', 'nothing is delegated here until a block is lifted', {
        detail: { block: refused.block },
      })
    case 'task-ended':
      return new MayflyError('task_ended', 'the task has ended')
    case 'limit':
      return new MayflyError('limit_reached', 'the task has delegated as often as it may')
  }
}
