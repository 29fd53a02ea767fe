import { createHash } from 'node:crypto'
import { MayflyError } from '../errors.ts'
import type { AgentConfig } from '../identity/settings.ts'
import type { Workload } from '../identity/workload.ts'
import { newId, newToken } from '../ids.ts'
import { coversIntent } from '../intent/covers.ts'
import type { IntentItem } from '../model/intent.ts'
import type { Task } from '../model/task.ts'
import { Secret } from '../secret.ts'
import type { NewDecision } from '../store/store.ts'
import type { Broker, World } from './broker.ts'
import { riskOf } from './risk.ts'

export interface OpenTaskRequest {
  readonly purpose: string
  readonly intent: readonly IntentItem[]
  readonly ttlSeconds: number | undefined
  readonly heartbeatSeconds: number | undefined
  readonly labels: Readonly<Record<string, string>>
}

/** An open task and its token: opaque, random, stored only as a hash, dead with the task. */
export interface OpenedTask {
  readonly task: Task
  readonly token: Secret
}

const DEFAULT_TASK_TTL_SECONDS = 3_600

/**
 * verify evidence → find agent → cover intent → decide → open
 *
 * Refuses with `unauthenticated`, `agent_unknown`, `proof_too_weak`, `invalid_intent`,
 * `intent_exceeded`, `policy_denied`, `blocked` or `limit_reached`. Evidence that does not hold
 * writes nothing; what was decided about a known agent is recorded.
 */
export async function openTask(
  broker: Broker,
  evidence: string,
  request: OpenTaskRequest,
): Promise<OpenedTask> {
  const world = broker.world()
  const workload = await world.identity.verify(evidence)
  const agent = world.identity.agentFor(workload)
  takeOpenPace(broker, agent)
  const now = broker.clock.now()
  const ttlSeconds = Math.min(
    request.ttlSeconds ?? DEFAULT_TASK_TTL_SECONDS,
    world.config.limits.taskMaxTtlSeconds,
  )
  const record = await decide(broker, { agent, workload, request, ttlSeconds, now })
  const uncovered = coverAll(world, agent, request.intent)
  if (uncovered) {
    const rails = [uncovered.code === 'invalid_intent' ? 'intent-form' : 'intent']
    const reasons = [uncovered.message]
    await broker.store.decisions.refuse({ ...record, outcome: 'deny', rails, reasons })
    throw uncovered
  }
  if (record.outcome !== 'permit') {
    await broker.store.decisions.refuse(record)
    throw new MayflyError('policy_denied', `no policy permits this task (decision ${record.id})`, {
      detail: { decision: record.id, policies: record.policies, reasons: record.reasons },
    })
  }

  const token = newToken('mft', broker.random)
  const opened = await broker.store.tasks.open(
    {
      id: newId('task', broker),
      agent: agent.id,
      tenant: agent.tenant,
      workload: workload.name,
      issuer: workload.issuer,
      proof: workload.proof,
      claims: workload.claims,
      purpose: request.purpose,
      intent: request.intent,
      labels: request.labels,
      createdAt: now,
      deadline: now + ttlSeconds * 1000,
      heartbeatSeconds: request.heartbeatSeconds ?? null,
      tokenHash: hashToken(token),
    },
    {
      openTasksPerAgent: world.config.limits.openTasksPerAgent,
      evidence: oneTimeEvidence(workload),
      decision: record,
    },
  )
  if (!opened.ok) throw notOpened(opened.why)
  return { task: opened.task, token: new Secret(token) }
}

/** How task and operator tokens are stored: lower-case hex SHA-256. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** Opening is as frequent as issuing at most; refused before anything is written. */
function takeOpenPace({ pace, world }: Broker, agent: AgentConfig): void {
  const wait = pace.take(`open ${agent.id}`, world().config.limits.issuesPerMinutePerAgent)
  if (wait === undefined) return
  throw new MayflyError('limit_reached', 'the agent opened too many tasks this minute', {
    retryAfterSeconds: wait,
  })
}

async function decide(
  broker: Broker,
  facts: {
    agent: AgentConfig
    workload: Workload
    request: OpenTaskRequest
    ttlSeconds: number
    now: number
  },
): Promise<NewDecision> {
  const { agent, workload, ttlSeconds, now } = facts
  const { id, tenant } = agent
  const risk = await riskOf(broker, { agent: id, tenant, workload: workload.name }, now)
  const decision = broker.world().policy.decide({
    action: 'openTask',
    agent,
    workload,
    risk,
    ttlSeconds,
    depth: 0,
    now,
  })
  return {
    id: newId('dec', broker),
    at: now,
    action: 'openTask',
    outcome: decision.outcome,
    agent: id,
    tenant,
    workload: workload.name,
    task: null,
    entitlement: null,
    policies: decision.policies,
    rails: decision.rails,
    reasons: decision.reasons,
    policyHash: decision.policyHash,
    request: { intent: facts.request.intent, ttl_seconds: ttlSeconds, risk: risk.level },
  }
}

/** Each item must name an entitlement of the agent's tenant and be covered by its ceiling (P4). */
function coverAll(
  world: World,
  agent: AgentConfig,
  intent: readonly IntentItem[],
): MayflyError | undefined {
  for (const [at, item] of intent.entries()) {
    const entitlement = world.entitlements.get(item.identifier ?? '')
    if (!entitlement?.tenants.includes(agent.tenant)) {
      const named = item.identifier === undefined ? 'names no entitlement' : 'is not an entitlement'
      return new MayflyError('invalid_intent', `intent[${at}].identifier ${named} of this agent`)
    }
    const instance = world.providers.get(entitlement.provider)
    if (!instance) return new MayflyError('unavailable', 'a provider is not configured')
    const refusal = coversIntent({
      ceiling: entitlement.ceiling,
      request: [item],
      vocabulary: instance.config.definition.vocabulary,
    })
    if (refusal) {
      return new MayflyError(
        'intent_exceeded',
        `intent[${at}] is wider than "${entitlement.id}" allows: ${refusal.refused}`,
      )
    }
  }
  return undefined
}

function oneTimeEvidence(workload: Workload) {
  if (!workload.oneTime || workload.evidenceId === null) return undefined
  return { id: workload.evidenceId, expiresAt: workload.evidenceExpiresAt }
}

function notOpened(why: 'blocked' | 'limit' | 'evidence-used'): MayflyError {
  switch (why) {
    case 'blocked':
      return new MayflyError('blocked', 'nothing is issued to this agent until a block is lifted')
    case 'limit':
      return new MayflyError('limit_reached', 'the agent has as many open tasks as it may have')
    case 'evidence-used':
      return new MayflyError('unauthenticated', 'the evidence was not accepted', {
        detail: { reason: 'its jti was used before' },
      })
  }
}
