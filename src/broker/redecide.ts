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
  readonly lease: Pick<Lease, 'id'>
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
  const verdicts = new Map<string, Refused['cause'] | undefined>()
  let [decided, seen] = [0, 0]
  for await (const id of liveLeases(broker, named)) {
    seen += 1
    if (seen % LEASES_PER_TURN === 0) await nextTurn()
    const facts = await legible(() => factsOf(broker, id))
    if (facts === undefined) continue
    if (facts === 'unreadable') {
      yield { lease: { id }, cause: 'policy' }
      continue
    }
    const kind = kindOf(facts)
    if (!verdicts.has(kind)) {
      const verdict = await legible(async () => refusedUnder(next, facts))
      verdicts.set(kind, verdict === 'unreadable' ? 'policy' : verdict)
      decided += 1
      if (decided % DECISIONS_PER_TURN === 0) await nextTurn()
    }
    const cause = verdicts.get(kind)
    if (cause) yield { lease: { id }, cause }
  }
}

/** What cannot be read is refused (P3), and keeps nothing else from being decided (P13). */
async function legible<T>(read: () => Promise<T>): Promise<T | 'unreadable'> {
  return await read().catch((error: unknown) => {
    // As stored JSON fails; a failing disk is another matter.
    if (error instanceof SyntaxError || error instanceof TypeError) return 'unreadable' as const
    throw error
  })
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

/** Undefined: it is not live any more. */
async function factsOf(broker: Broker, id: LeaseId): Promise<Facts | undefined> {
  const { store, clock } = broker
  const lease = await store.leases.byId(id)
  const order = await store.leases.orderOf(id)
  const task = lease && (await store.tasks.byId(lease.task))
  if (!task || !order || !(lease.state === 'reserved' || lease.state === 'active')) return undefined
  const now = clock.now()
  const risk = await riskOfTask(broker, task, now)
  const above = await principalsAbove(broker, task, now)
  const activeLeases = (await store.leases.countActive({ task: task.id })) - 1
  return { task, lease, intent: order.intent, risk, above, activeLeases, now }
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
