import { issueCredential } from '../../src/broker/issue.ts'
import { openTask } from '../../src/broker/open-task.ts'
import type { LeaseId, TaskId } from '../../src/ids.ts'
import { newId } from '../../src/ids.ts'
import type { Lease } from '../../src/model/lease.ts'
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
    const { task, lease } = await issue(place, { provider, n, ttlSeconds, heartbeatSeconds })
    endings.push({ lease: lease.id, task, provider, way, at })
  }
  return endings
}

/** One task with one lease of it. */
export async function issue(
  { house, ground }: OutageHouse,
  wish: {
    readonly provider: ProviderName
    readonly n: number
    readonly ttlSeconds: number
    readonly heartbeatSeconds: number | undefined
  },
): Promise<{ task: TaskId; lease: Lease }> {
  const { provider, n, ttlSeconds, heartbeatSeconds } = wish
  const { entitlements } = ground.places[provider]
  const entitlement = entitlements[n % entitlements.length]
  if (!entitlement) throw new Error(`${provider} has no entitlement`)
  const { id, ceiling } = entitlement
  const intent = [{ ...ceiling, identifier: id }]
  const request = { purpose: 'read a ticket', intent, labels: {}, heartbeatSeconds }
  const { task } = await openTask(
    house.broker,
    { token: await house.evidence() },
    { ...request, ttlSeconds: LONG_SECONDS + 600 },
  )
  const issued = await issueCredential(house.broker, task, {
    entitlement: id,
    intent: undefined,
    ttlSeconds,
    idempotencyKey: undefined,
  })
  if ('approval' in issued) throw new Error('it awaits an approval')
  return { task: task.id, lease: issued.lease }
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
