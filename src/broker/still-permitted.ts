import { MayflyError } from '../errors.ts'
import type { Task } from '../model/task.ts'
import { grantOf } from './approval-request.ts'
import type { Broker, World } from './broker.ts'
import { decideCredential } from './decide.ts'
import type { Issued } from './issued.ts'
import { type CredentialRequest, planCredential, unacceptable } from './plan.ts'
import { principalsAbove } from './principals.ts'
import { riskOfTask } from './risk.ts'

/** What something was decided under. */
export interface InForce {
  readonly world: World
  readonly riskMark: string
}

/** To be read before what is decided on: what changes from here on is noticed. */
export async function inForce({ world, store }: Broker, now: number): Promise<InForce> {
  return { world: world(), riskMark: await store.signals.riskMark(now) }
}

/**
 * Policies, configuration or risk may have changed while the upstream was asked: what is in force
 * now decides again. What it refuses is ended and not answered: `policy_denied`. Costs two
 * comparisons while nothing changed.
 */
export async function assertStillPermitted(
  broker: Broker,
  facts: {
    readonly task: Task
    readonly request: CredentialRequest
    readonly issued: Issued
    readonly before: InForce
    /** What it was approved as, if it took an approval. */
    readonly grant?: string | undefined
  },
): Promise<void> {
  const { task, request, issued, before, grant } = facts
  const { id } = issued.lease
  const now = broker.clock.now()
  const { world, riskMark } = await inForce(broker, now)
  if (world === before.world && riskMark === before.riskMark) return
  const risk = await riskOfTask(broker, task, now)
  const activeLeases = (await broker.store.leases.countActive({ task: task.id })) - 1
  const above = await principalsAbove(broker, task, now)
  const plan = planCredential(world, task, request, { now, earliest: now })
  if (!('rail' in plan) && unacceptable(plan) === undefined) {
    const { outcome } = decideCredential(world, { task, plan, risk, activeLeases, above, now })
    if (outcome === 'permit') return
    const granted = grant !== undefined && grant === grantOf(world, task, { request, plan })
    if (outcome === 'needs-approval' && granted) return
  }
  const cause = world === before.world ? 'risk' : 'policy'
  await broker.store.leases.end({ id, cause, lane: 'end', actor: 'mayfly', now })
  const what = cause === 'risk' ? 'risk' : 'policies'
  throw new MayflyError('policy_denied', `the ${what} changed; nothing was issued`)
}
