import { MayflyError } from '../errors.ts'
import type { Approval } from '../model/approval.ts'
import { grantOf } from './approval-request.ts'
import { findApproval } from './approvals.ts'
import type { OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { isOwnApproval } from './own-approval.ts'
import { planCredential } from './plan.ts'

/**
 * permission → not their own → still what was asked for → commit
 *
 * A yes is for what was shown and for nothing else: where the configuration now makes something
 * else of the request it is refused. Refuses with `not_found` outside the operator's tenants,
 * `forbidden` for their own, `conflict` for what was decided, used or made worthless before.
 */
export async function grantApproval(
  broker: Broker,
  by: OperatorCaller,
  { id, reason }: { readonly id: string; readonly reason: string | null },
): Promise<Approval> {
  const { store, clock, log } = broker
  const approval = await findApproval(broker, by, { id, act: 'approve' })
  const world = broker.world()
  const task = await store.tasks.byId(approval.task)
  if (!task) throw changed()
  const tasks = [task, ...(await store.tasks.above(task))]
  const principals = tasks.map((one) => ({ task: one, agent: world.agents.get(one.agent) }))
  if (isOwnApproval(by, principals)) {
    log.warn({ approval: id, operator: by.operator.name }, 'an operator tried their own approval')
    throw new MayflyError('forbidden', 'nobody approves what they ask for or answer for themselves')
  }
  const now = clock.now()
  const { unusedTtlSeconds } = world.config.approvals
  const { policy } = world
  if (approval.state === 'pending' && approval.policyHash === policy.hash) {
    const { entitlement, ttlSeconds, shown } = approval
    const request = { entitlement, ttlSeconds, intent: shown.intent }
    const plan = planCredential(world, task, request, { now, earliest: now })
    if ('rail' in plan || grantOf(world, task, { request, plan }) !== approval.grant) {
      throw changed()
    }
  }
  const decided = await store.approvals.decide({
    id: approval.id,
    verdict: 'granted',
    actor: by.actor,
    reason,
    expiresAt: Math.min(now + unusedTtlSeconds * 1000, task.deadline),
    policyHash: policy.hash,
    now,
  })
  return settled(decided)
}

/**
 * No, with the reason why; also to one that was granted and not used yet, and also to their own.
 * Refuses with `not_found` or `conflict` like a grant.
 */
export async function denyApproval(
  broker: Broker,
  by: OperatorCaller,
  { id, reason }: { readonly id: string; readonly reason: string },
): Promise<Approval> {
  const { store, clock, world } = broker
  const approval = await findApproval(broker, by, { id, act: 'approve' })
  const decided = await store.approvals.decide({
    id: approval.id,
    verdict: 'denied',
    actor: by.actor,
    reason,
    expiresAt: approval.expiresAt,
    policyHash: world().policy.hash,
    now: clock.now(),
  })
  return settled(decided)
}

type Decided = Awaited<ReturnType<Broker['store']['approvals']['decide']>>

function settled(decided: Decided): Approval {
  if (decided?.ok) return decided.approval
  if (!decided) throw changed()
  const { state, cause, decidedBy } = decided.approval
  const by = state === 'expired' ? ` (${cause})` : decidedBy === null ? '' : ` by ${decidedBy}`
  throw new MayflyError('conflict', `the approval is ${state} already${by}`)
}

function changed(): MayflyError {
  return new MayflyError(
    'conflict',
    'the configuration makes something else of the request now; it has to be asked for anew',
  )
}
