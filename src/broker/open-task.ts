import { hash } from 'node:crypto'
import { MayflyError } from '../errors.ts'
import type { AgentConfig } from '../identity/settings.ts'
import type { Shown } from '../identity/shown.ts'
import type { Workload } from '../identity/workload.ts'
import { newId, newTaskToken } from '../ids.ts'
import type { IntentItem } from '../model/intent.ts'
import type { Task } from '../model/task.ts'
import { Secret } from '../secret.ts'
import type { NewDecision, OpenTaskResult } from '../store/store.ts'
import type { Broker } from './broker.ts'
import { beyondCeilings, beyondDelegator } from './cover-intent.ts'
import { type ShownDelegation, shownDelegation } from './delegation-shown.ts'
import { keptInputs } from './kept-input.ts'
import { notFound } from './not-found.ts'
import { reportOtherKey } from './other-key.ts'
import { proofUsed, workloadShown } from './possession.ts'
import { riskOf } from './risk.ts'
import { withheld } from './withheld.ts'

export interface OpenTaskRequest {
  readonly purpose: string
  readonly intent: readonly IntentItem[]
  readonly ttlSeconds: number | undefined
  readonly heartbeatSeconds: number | undefined
  readonly labels: Readonly<Record<string, string>>
  /** The token of a delegation, whose first use this is. */
  readonly delegation?: string | undefined
}

/** An open task and its token: opaque, random, stored only as a hash, dead with the task. */
export interface OpenedTask {
  readonly task: Task
  readonly token: Secret
}

const DEFAULT_TASK_TTL_SECONDS = 3_600

/**
 * verify evidence → find agent → find delegation → decide → cover intent → open
 *
 * Refuses with `unauthenticated`, `agent_unknown`, `proof_too_weak`, `invalid_intent`,
 * `intent_exceeded`, `policy_denied`, `blocked`, `limit_reached` or, for a delegation that cannot be
 * used, `not_found`. Evidence that does not hold writes nothing; what was decided about a known agent is recorded.
 */
export async function openTask(
  broker: Broker,
  evidence: Shown,
  request: OpenTaskRequest,
): Promise<OpenedTask> {
  return await openTaskFor(broker, await agentShown(broker, evidence), request)
}

/** Who asks, by evidence that held, and has not been used up yet. */
export interface ShownAgent extends Awaited<ReturnType<typeof workloadShown>> {
  readonly agent: AgentConfig
}

/** The first half of `openTask`; it writes nothing. */
export async function agentShown(broker: Broker, evidence: Shown): Promise<ShownAgent> {
  const shown = await workloadShown(broker, evidence)
  return { ...shown, agent: broker.world().identity.agentFor(shown.workload) }
}

/** The rest of it: what depends on what is asked for. */
export async function openTaskFor(
  broker: Broker,
  { agent, workload, key, proof }: ShownAgent,
  request: OpenTaskRequest,
): Promise<OpenedTask> {
  const world = broker.world()
  takeOpenPace(broker, agent)
  refuseWhileWithheld(broker)
  const now = broker.clock.now()
  const { limits } = world.config
  const token = request.delegation
  const shown =
    token === undefined
      ? undefined
      : await shownDelegation(broker, { agent, workload, tokenHash: hashToken(token), now })
  const ttlSeconds = Math.min(
    request.ttlSeconds ?? DEFAULT_TASK_TTL_SECONDS,
    limits.taskMaxTtlSeconds,
    shown ? Math.floor((shown.delegation.deadline - now) / 1000) : Infinity,
  )
  const record = await decide(broker, { agent, workload, request, shown, ttlSeconds, now })
  const uncovered =
    beyondCeilings(world, agent, request.intent) ??
    (shown && beyondDelegator(world, shown.delegation.intent, request.intent))
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

  const id = newId('task', broker)
  const taskToken = newTaskToken(id, broker.random)
  const opened = await broker.store.tasks.open(
    {
      id,
      agent: agent.id,
      tenant: agent.tenant,
      workload: workload.name,
      issuer: workload.issuer,
      proof: workload.proof,
      key,
      claims: workload.claims,
      purpose: request.purpose,
      intent: request.intent,
      labels: request.labels,
      createdAt: now,
      deadline: now + ttlSeconds * 1000,
      heartbeatSeconds: request.heartbeatSeconds ?? null,
      tokenHash: hashToken(taskToken),
    },
    {
      openTasksPerAgent: limits.openTasksPerAgent,
      evidence: oneTimeEvidence(workload),
      proof,
      instance: instanceOf(workload),
      delegation: shown && { id: shown.delegation.id, tasksPerTree: limits.tasksPerTree },
      decision: record,
    },
  )
  if (!opened.ok) {
    if (opened.why === 'other-key') {
      const subject = { workload: workload.name, tenant: agent.tenant }
      await reportOtherKey(broker, { name: workload.pin, subject })
    }
    throw notOpened(opened.why)
  }
  return { task: opened.task, token: new Secret(taskToken) }
}

/** How task and operator tokens are stored: lower-case hex SHA-256. */
export function hashToken(token: string): string {
  return hash('sha256', token, 'hex')
}

/** Opening is as frequent as issuing at most; refused before anything is written. */
function takeOpenPace({ pace, world }: Broker, agent: AgentConfig): void {
  const wait = pace.take(`open ${agent.id}`, world().config.limits.issuesPerMinutePerAgent)
  if (wait === undefined) return
  throw new MayflyError('limit_reached', 'the agent opened too many tasks this minute', {
    retryAfterSeconds: wait,
  })
}

function refuseWhileWithheld(broker: Broker): void {
  const why = withheld(broker)
  if (why) throw new MayflyError('unavailable', why.message, { retryAfterSeconds: 60 })
}

async function decide(
  broker: Broker,
  facts: {
    agent: AgentConfig
    workload: Workload
    request: OpenTaskRequest
    shown: ShownDelegation | undefined
    ttlSeconds: number
    now: number
  },
): Promise<NewDecision> {
  const { agent, workload, shown, ttlSeconds, now } = facts
  const { id, tenant } = agent
  const chain = shown?.chain ?? []
  const above = shown && { above: shown.above, ancestors: chain.map(({ task }) => task) }
  const { name, issuer } = workload
  const subject = { agent: id, tenant, workload: name, issuer, ...above }
  const risk = await riskOf(broker, subject, now)
  const decision = broker.world().policy.decide({
    action: 'openTask',
    agent,
    workload,
    risk,
    ttlSeconds,
    depth: chain.length,
    now,
  })
  const record: NewDecision = {
    id: newId('dec', broker),
    at: now,
    action: 'openTask',
    outcome: decision.outcome,
    agent: id,
    tenant,
    workload: workload.name,
    task: null,
    entitlement: null,
    chain,
    policies: decision.policies,
    rails: decision.rails,
    reasons: decision.reasons,
    policyHash: decision.policyHash,
    request: {
      intent: facts.request.intent,
      ttl_seconds: ttlSeconds,
      inputs: keptInputs([decision.question]),
    },
  }
  broker.world().shadow?.note(broker, record, [decision.question])
  return record
}

function oneTimeEvidence(workload: Workload) {
  if (!workload.oneTime || workload.evidenceId === null) return undefined
  const { evidenceId, evidenceIssuedAt, evidenceExpiresAt } = workload
  return { id: evidenceId, issuedAt: evidenceIssuedAt, expiresAt: evidenceExpiresAt }
}

/** Evidence that names its key itself needs none pinned. */
function instanceOf({ proof, pin, evidenceIssuedAt, evidenceExpiresAt }: Workload) {
  if (proof === 'key') return undefined
  return { name: pin, issuedAt: evidenceIssuedAt, pinnedUntil: evidenceExpiresAt }
}

function notOpened(why: Extract<OpenTaskResult, { ok: false }>['why']): MayflyError {
  switch (why) {
    case 'blocked':
      return new MayflyError('blocked', 'nothing is issued to this agent until a block is lifted')
    case 'limit':
      return new MayflyError('limit_reached', 'the agent has as many open tasks as it may have')
    case 'delegation':
      return notFound('delegation')
    case 'tree-limit':
      return new MayflyError('limit_reached', 'what was delegated has as many tasks as it may have')
    case 'evidence-used':
      return notAccepted('its jti was used before')
    case 'before-restore':
      return notAccepted('it was made before an older database was restored; show a newer one')
    case 'proof-used':
      return proofUsed()
    case 'other-key':
      return notAccepted('its instance showed another key before')
    case 'key-missing':
      return notAccepted('its instance showed a key before, and now none')
  }
}

function notAccepted(reason: string): MayflyError {
  return new MayflyError('unauthenticated', 'the evidence was not accepted', { detail: { reason } })
}
