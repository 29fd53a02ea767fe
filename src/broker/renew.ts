import { MayflyError } from '../errors.ts'
import type { Lease } from '../model/lease.ts'
import type { Task } from '../model/task.ts'
import type { Broker } from './broker.ts'
import { credentialDecision, decideCredential, refuseByRail } from './decide.ts'
import type { Issued } from './issued.ts'
import {
  askUpstream,
  factsOf,
  noAnswerFrom,
  overtaken,
  refusedBy,
  upstreamFailure,
} from './mint.ts'
import { type CredentialRequest, type Plan, planCredential } from './plan.ts'
import { principalsAbove } from './principals.ts'
import { takeIssuePace, unfitToMint } from './rails.ts'
import { riskOfTask } from './risk.ts'
import { assertStillPermitted, inForce } from './still-permitted.ts'

/**
 * find lease → rails → decide again → commit the later expiry → prolong or mint → commit → hold
 * against what is in force by then
 *
 * A renewal asks for exactly what the lease is, under the policies, risk and configuration of now.
 * What would no longer be permitted is refused and the lease ends (P7). A secret is not sent again
 * where the upstream can prolong what was minted.
 */
export async function renewLease(broker: Broker, task: Task, lease: Lease): Promise<Issued> {
  const { store, clock, health } = broker
  takeIssuePace(broker, task.agent)
  const now = clock.now()
  const before = await inForce(broker, now)
  const { world } = before
  const order = await store.leases.orderOf(lease.id)
  const { entitlement, ttlSeconds } = lease
  const request: CredentialRequest = { entitlement, intent: order?.intent, ttlSeconds }
  const plan = planCredential(world, task, request, { now, earliest: clock.earliest() })
  if ('rail' in plan)
    return await refuseByRail(broker, { world, task, lease, request, refusal: plan, now })
  if (!isSameLease(plan, lease, order?.targetSpec)) {
    await store.leases.end({ id: lease.id, cause: 'config', lane: 'end', actor: 'mayfly', now })
    throw new MayflyError('lease_ended', 'its entitlement was changed; ask for a new credential', {
      detail: { lease: lease.id, rail: 'moved' },
    })
  }
  const unfit = unfitToMint(broker, plan)
  if (unfit) return await refuseByRail(broker, { world, task, lease, request, refusal: unfit, now })

  const risk = await riskOfTask(broker, task, now)
  const activeLeases = (await store.leases.countActive({ task: task.id })) - 1 // without itself
  const above = await principalsAbove(broker, task, now)
  const decision = decideCredential(world, { task, plan, risk, activeLeases, above, now })
  const about = { task, request, decision, ttlSeconds: plan.lifetime.ttlSeconds, now }
  const record = credentialDecision(broker, about)
  if (decision.outcome !== 'permit') {
    await store.decisions.refuse(record)
    if (decision.outcome === 'needs-approval' && lease.approval !== null) {
      // It lives on as long as was said; more takes another yes.
      throw new MayflyError(
        'policy_denied',
        `its approval was for this lifetime; ask for another credential (decision ${record.id})`,
      )
    }
    await store.leases.end({ id: lease.id, cause: 'policy', lane: 'end', actor: 'mayfly', now })
    throw new MayflyError(
      'policy_denied',
      `no policy permits this any more (decision ${record.id})`,
    )
  }

  const begun = await store.leases.beginRenewal({
    id: lease.id,
    expiresAt: plan.lifetime.notAfter,
    latestPossibleExpiry: plan.lifetime.latestPossibleExpiry,
    decision: record,
    now,
  })
  if (!begun.ok) throw notBegun(begun.why)
  const minted = await askUpstream(broker, {
    lease: begun.lease,
    plan,
    key: task.key,
    how: 'renew',
  }).catch(async (error) => {
    const failure = upstreamFailure(error)
    const { message, outcome } = failure
    if (outcome === 'unknown') health.failed(lease.provider, 'mint')
    await store.leases.failRenewal(lease.id, { error: message, outcome, before: begun.before })
    throw outcome === 'refused' ? refusedBy(lease, failure) : noAnswerFrom(lease, failure)
  })
  const facts = factsOf(begun.lease, plan, minted)
  const renewed = await store.leases.finishRenewal(lease.id, facts, clock.now())
  if (!renewed.ok) throw overtaken(renewed.lease)
  health.succeeded(lease.provider, 'mint')
  const issued = { lease: renewed.lease, credential: minted.credential }
  await assertStillPermitted(broker, { task, request, issued, before })
  return issued
}

/**
 * Whether renewing would mint just what the lease is a record of: what ends it later knows only
 * the provider, target and scope it was reserved with.
 */
function isSameLease(plan: Plan, lease: Lease, targetSpec: unknown): boolean {
  const { entitlement, description } = plan
  const asked = [entitlement.provider, entitlement.target, description.target, description.group]
  const held = [lease.provider, targetSpec, lease.target, lease.group]
  return (
    JSON.stringify(asked) === JSON.stringify(held) &&
    JSON.stringify(description.scope) === JSON.stringify(lease.scope)
  )
}

function notBegun(why: 'not-active' | 'in-flight' | 'blocked'): MayflyError {
  switch (why) {
    case 'not-active':
      return new MayflyError('lease_ended', 'the lease is not active; ask for a new credential')
    case 'in-flight':
      return new MayflyError('in_flight', 'a renewal of this lease is under way', {
        retryAfterSeconds: 1,
      })
    case 'blocked':
      return new MayflyError('blocked', 'nothing is issued here until a block is lifted')
  }
}
