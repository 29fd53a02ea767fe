import { setImmediate as nextTurn } from 'node:timers/promises'
import type { LeaseId } from '../ids.ts'
import type { IntentItem } from '../model/intent.ts'
import type { Lease } from '../model/lease.ts'
import type { Risk } from '../model/risk.ts'
import type { Selector } from '../model/selector.ts'
import type { Task } from '../model/task.ts'
import type { Broker, World } from './broker.ts'
import { decideCredential } from './decide.ts'
import { planCredential, unacceptable } from './plan.ts'
import { type Principal, principalsAbove } from './principals.ts'
import { riskOfTask } from './risk.ts'

export interface Refused {
  readonly lease: Lease
  readonly cause: 'policy' | 'config'
}

/** Other requests get a turn after this many decisions, or so many leases looked at. */
const DECISIONS_PER_TURN = 20
const LEASES_PER_TURN = 25

/**
 * The live leases that `next` refuses as things stand now, of those that `named` names (absent:
 * all). Each kind is decided once: what agent, entitlement, workload, intent, history and risk,
 * also that of everybody above in a delegated tree, have in common is decided together.
 */
export async function* refusedLeases(
  broker: Broker,
  next: World,
  named?: readonly Selector[],
): AsyncGenerator<Refused> {
  const { store } = broker
  const verdicts = new Map<string, Refused['cause'] | undefined>()
  let [decided, seen] = [0, 0]
  for await (const id of liveLeases(broker, named)) {
    seen += 1
    if (seen % LEASES_PER_TURN === 0) await nextTurn()
    const lease = await store.leases.byId(id)
    const order = await store.leases.orderOf(id)
    const task = lease && (await store.tasks.byId(lease.task))
    if (!task || !order || !(lease.state === 'reserved' || lease.state === 'active')) continue
    const facts = { task, lease, intent: order.intent, ...(await standingOf(broker, task)) }
    const kind = kindOf(facts)
    if (!verdicts.has(kind)) {
      verdicts.set(kind, refusedUnder(next, facts))
      decided += 1
      if (decided % DECISIONS_PER_TURN === 0) await nextTurn()
    }
    const cause = verdicts.get(kind)
    if (cause) yield { lease, cause }
  }
}

async function* liveLeases(
  { store }: Broker,
  named: readonly Selector[] | undefined,
): AsyncGenerator<LeaseId> {
  if (named === undefined) {
    for (const { agent, entitlement } of await store.leases.activeClasses()) {
      yield* await store.leases.activeOfClass(agent, entitlement)
    }
    return
  }
  const ids = new Set<LeaseId>()
  for (const selector of named) {
    for (const id of await store.leases.activeNamed(selector)) ids.add(id)
    await nextTurn()
  }
  yield* ids
}

interface Facts {
  readonly task: Task
  readonly lease: Lease
  readonly intent: readonly IntentItem[]
  readonly risk: Risk
  readonly above: readonly Principal[]
  /** Of its task, without itself. */
  readonly activeLeases: number
  readonly now: number
}

async function standingOf(broker: Broker, task: Task) {
  const now = broker.clock.now()
  const risk = await riskOfTask(broker, task, now)
  const above = await principalsAbove(broker, task, now)
  const activeLeases = (await broker.store.leases.countActive({ task: task.id })) - 1
  return { risk, above, activeLeases, now }
}

/** Leases with the same text are decided alike: it holds all that policies see, age by the minute. */
function kindOf({ task, lease, intent, risk, above, activeLeases, now }: Facts): string {
  const { agent, workload, touched, claims, proof, parent, createdAt } = task
  const age = Math.floor((now - createdAt) / 60_000)
  const own = [agent, workload, touched, claims, proof, task.intent, risk, activeLeases, age]
  // What one task delegated has its whole chain in common.
  const chain = [parent, above.map((one) => [one.risk, one.activeLeases, one.task.touched])]
  const { entitlement, ttlSeconds, approval } = lease
  return JSON.stringify([own, chain, entitlement, intent, ttlSeconds, approval !== null])
}

function refusedUnder(next: World, facts: Facts): Refused['cause'] | undefined {
  const { task, lease, intent, now } = facts
  const { entitlement, ttlSeconds } = lease
  const request = { entitlement, intent, ttlSeconds }
  const plan = planCredential(next, task, request, { now, earliest: now })
  if ('rail' in plan) return plan.rail === 'lifetime' ? undefined : 'config'
  if (unacceptable(plan)) return 'config'
  const { outcome } = decideCredential(next, { ...facts, plan })
  if (outcome === 'permit') return undefined
  // Somebody has said yes to it as it is.
  return outcome === 'needs-approval' && lease.approval !== null ? undefined : 'policy'
}
