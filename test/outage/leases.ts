import { issueCredential } from '../../src/broker/issue.ts'
import { openTask } from '../../src/broker/open-task.ts'
import type { LeaseId, TaskId } from '../../src/ids.ts'
import { newId } from '../../src/ids.ts'
import type { Lease } from '../../src/model/lease.ts'
import type { Task } from '../../src/model/task.ts'
import type { Seeded } from '../crash/seeded.ts'
import type { ProviderName } from './ground.ts'
import type { OutageHouse } from './house.ts'

const WAYS = ['end', 'kill', 'expiry', 'silence'] as const
export type Way = (typeof WAYS)[number]

/** A lease that will end, on its own or by order, `at` ms after the trouble began. */
export interface Ending {
  readonly lease: LeaseId
  readonly task: TaskId
  readonly provider: ProviderName
  readonly way: Way
  readonly at: number
}

const LONG_SECONDS = 3_600
/** So many ms before the upstream returns half of them end: these are still alive then. */
const LATE_MS = 240_000

/** Issues `count` leases whose ends spread over `withinMs`, in all the ways in which a lease ends. */
export async function lend(
  place: OutageHouse,
  order: {
    readonly provider: ProviderName
    readonly count: number
    readonly withinMs: number
    readonly seeded: Seeded
  },
): Promise<Ending[]> {
  const { provider, count, withinMs, seeded } = order
  const endings: Ending[] = []
  for (let n = 0; n < count; n += 1) {
    const early = n % 2 === 0
    const way = WAYS[Math.floor(n / 2) % WAYS.length] ?? 'end'
    const from = early ? 0 : withinMs - LATE_MS
    const at = from + 2_000 + seeded.between(0, withinMs - from - 4_000)
    const ttlSeconds = way === 'expiry' ? Math.ceil(at / 1000) : LONG_SECONDS
    const heartbeatSeconds = way === 'silence' ? Math.ceil(at / 2000) : undefined
    const wish = { provider, n, ttlSeconds }
    const task = await openFor(place, { ...wish, heartbeatSeconds })
    const lease = await issue(place, task, wish)
    endings.push({ lease: lease.id, task: task.id, provider, way, at })
  }
  return endings
}

interface Wish {
  readonly provider: ProviderName
  /** Decides which of its entitlements. */
  readonly n: number
  readonly ttlSeconds: number
}

/** A task that may ask for what `wish` names. */
export async function openFor(
  place: OutageHouse,
  wish: Wish & { readonly heartbeatSeconds: number | undefined },
): Promise<Task> {
  const { id, ceiling } = entitlementOf(place, wish)
  const { task } = await openTask(
    place.house.broker,
    { token: await place.house.evidence() },
    {
      purpose: 'read a ticket',
      intent: [{ ...ceiling, identifier: id }],
      labels: {},
      heartbeatSeconds: wish.heartbeatSeconds,
      ttlSeconds: LONG_SECONDS + 600,
    },
  )
  return task
}

export async function issue(place: OutageHouse, task: Task, wish: Wish): Promise<Lease> {
  const issued = await issueCredential(place.house.broker, task, {
    entitlement: entitlementOf(place, wish).id,
    intent: undefined,
    ttlSeconds: wish.ttlSeconds,
    idempotencyKey: undefined,
  })
  if ('approval' in issued) throw new Error('it awaits an approval')
  return issued.lease
}

function entitlementOf({ ground }: OutageHouse, { provider, n }: Wish) {
  const { entitlements } = ground.places[provider]
  const entitlement = entitlements[n % entitlements.length]
  if (!entitlement) throw new Error(`${provider} has no entitlement`)
  return entitlement
}

/** Gives the order that ends it; an expiry or a silence needs none. */
export async function giveOrder({ house }: OutageHouse, ending: Ending): Promise<void> {
  const { store, clock } = house
  const now = clock.now()
  if (ending.way === 'end') {
    const { task: id } = ending
    await store.tasks.end({ id, cause: 'ended', outcome: 'completed', actor: 'operator:test', now })
  }
  if (ending.way === 'kill') {
    await store.kills.order({
      id: newId('kill', house.broker),
      selector: { lease: ending.lease },
      tenants: null,
      reason: 'outage',
      actor: 'operator:test',
      cause: 'killed',
      endsTasks: true,
      lane: 'kill',
      block: undefined,
      now,
    })
  }
}
