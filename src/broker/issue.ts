import { hash } from 'node:crypto'
import { MayflyError } from '../errors.ts'
import { newId, upstreamName } from '../ids.ts'
import type { Task } from '../model/task.ts'
import type { ApprovalRequest, NewDecision, Reservation } from '../store/store.ts'
import { approvalRequest } from './approval-request.ts'
import type { Broker } from './broker.ts'
import { credentialDecision, decideCredential, refuseByRail } from './decide.ts'
import type { AwaitsApproval, Issued } from './issued.ts'
import { mintReserved } from './mint.ts'
import { notReserved } from './not-reserved.ts'
import { type CredentialRequest, type Plan, planCredential } from './plan.ts'
import { principalsAbove } from './principals.ts'
import { takeIssuePace, unfitToMint } from './rails.ts'
import { riskOfTask } from './risk.ts'
import { assertStillPermitted, inForce } from './still-permitted.ts'

export interface IssueRequest extends CredentialRequest {
  readonly idempotencyKey: string | undefined
}

/**
 * find task → rails → decide → reserve → mint → activate
 *
 * Where the policies want an approval, reserving consumes the one that was granted for exactly this
 * request; without one it is asked for instead, and answered as pending until somebody decides.
 *
 * Refuses with `not_found`, `intent_exceeded`, `invalid_intent`, `policy_denied`, `blocked`,
 * `limit_reached`, `in_flight`, `idempotency_mismatch`, `task_ended`, `not_revocable_now`,
 * `upstream_refused` or `upstream_unavailable`; every refusal that was decided is recorded.
 */
export async function issueCredential(
  broker: Broker,
  task: Task,
  request: IssueRequest,
): Promise<Issued | AwaitsApproval> {
  takeIssuePace(broker, task.agent)
  let asking = task
  for (let attempt = 0; attempt < MAX_DECISIONS; attempt += 1) {
    const issued = await decideAndIssue(broker, asking, request)
    if (issued !== 'touched-since') return issued
    asking = (await broker.store.tasks.byId(task.id)) ?? task
  }
  throw new MayflyError('in_flight', 'too many requests of this task are under way at once', {
    retryAfterSeconds: 1,
  })
}

/** As many different requests as a task may well have under way at once. */
const MAX_DECISIONS = 20

/** Decides on what the task has touched, and reserves only where that is still all of it. */
async function decideAndIssue(
  broker: Broker,
  task: Task,
  request: IssueRequest,
): Promise<Issued | AwaitsApproval | 'touched-since'> {
  const now = broker.clock.now()
  const before = await inForce(broker, now)
  const { world } = before
  const plan = planCredential(world, task, request, { now, earliest: broker.clock.earliest() })
  if ('rail' in plan)
    return await refuseByRail(broker, { world, task, request, refusal: plan, now })
  const unfit = unfitToMint(broker, plan)
  if (unfit) return await refuseByRail(broker, { world, task, request, refusal: unfit, now })

  const risk = await riskOfTask(broker, task, now)
  const activeLeases = await broker.store.leases.countActive({ task: task.id })
  const above = await principalsAbove(broker, task, now)
  const decision = decideCredential(world, { task, plan, risk, activeLeases, above, now })
  const { ttlSeconds } = plan.lifetime
  const record = credentialDecision(broker, { task, request, decision, ttlSeconds, now })
  if (decision.outcome === 'deny') return await deny(broker, record)

  const approval =
    decision.outcome === 'permit'
      ? undefined
      : approvalRequest(broker, { world, task, request, plan, risk, above, record, now })
  const decidedOn = [task, ...above.map((one) => one.task)]
  const decided = { decidedOn, riskMark: before.riskMark, now }
  const order = reservationOf(broker, { task, request, plan, record, approval, ...decided })
  const reserved = await broker.store.leases.reserve(order)
  if (!reserved.ok) {
    if (reserved.why === 'touched-since') return reserved.why
    if (reserved.why === 'approval') return { approval: reserved.approval }
    throw notReserved(reserved, now)
  }
  const issued = await mintReserved(broker, { lease: reserved.lease, plan, key: task.key })
  const grant = approval?.grant
  await assertStillPermitted(broker, { task, request, issued, before, grant })
  return issued
}

function reservationOf(
  broker: Broker,
  facts: {
    task: Task
    request: IssueRequest
    plan: Plan
    record: NewDecision
    approval: ApprovalRequest | undefined
    decidedOn: readonly Task[]
    riskMark: string
    now: number
  },
): Reservation {
  const { task, request, plan, record, approval, decidedOn, riskMark, now } = facts
  const { entitlement, description, lifetime } = plan
  const { limits } = broker.world().config
  const id = newId('lease', broker)
  return {
    id,
    upstreamName: upstreamName(id),
    task: task.id,
    entitlement: entitlement.id,
    provider: entitlement.provider,
    upstream: plan.instance.upstream,
    target: description.target,
    targetSpec: entitlement.target,
    group: description.group,
    intent: plan.intent,
    ttlSeconds: lifetime.ttlSeconds,
    nativeFloorSeconds: description.lifetime.nativeFloorSeconds,
    now,
    expiresAt: lifetime.notAfter,
    latestPossibleExpiry: lifetime.latestPossibleExpiry,
    scope: description.scope,
    residuals: description.residuals,
    revocability: description.revocability,
    slots: description.slots && broker.health.slotsInTurn(entitlement.provider, description.slots),
    groupCapacity: description.groupCapacity,
    groupShared: plan.instance.config.definition.oneTenantOf?.(entitlement.target) === undefined,
    acceptsExpiry: entitlement.weakestRevocability === 'expiry',
    idempotency:
      request.idempotencyKey === undefined
        ? undefined
        : { key: request.idempotencyKey, requestHash: hashOf(request) },
    touches: {
      zones: [entitlement.zone],
      datasets: [...plan.datasets],
      impact: [...plan.impact],
    },
    decidedOn,
    riskMark,
    approval,
    limits,
    decision: record,
  }
}

function hashOf({ entitlement, intent, ttlSeconds }: IssueRequest): string {
  const text = JSON.stringify([entitlement, intent ?? null, ttlSeconds ?? null])
  return hash('sha256', text, 'hex')
}

async function deny(broker: Broker, record: NewDecision): Promise<never> {
  await broker.store.decisions.refuse(record)
  const { id: decision, policies, reasons } = record
  const message = `no policy permits this (decision ${decision})`
  throw new MayflyError('policy_denied', message, { detail: { decision, policies, reasons } })
}
