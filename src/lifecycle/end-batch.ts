import type { Broker } from '../broker/broker.ts'
import { SKEW_MS } from '../model/lifetime.ts'
import { type EndOutcome, type Provider, UpstreamError } from '../provider.ts'
import type { QueuedEnding } from '../store/store.ts'
import { askWithin, endOrderOf, failAll, failureOf } from './attempt.ts'
import { backoffMs } from './backoff.ts'
import { cleanUpBatch } from './clean-up.ts'

/** While nobody knows what a mint did, what it may have left is looked for again this often. */
const CHASE_MS = 30_000
/** What dies by itself this soon is not worth one of its group's places. */
const NEARLY_DEAD_MS = 60_000
/** A provider that is not configured any more, or an upstream that cannot end anything early. */
const IDLE_MS = 60_000

/** Asks the upstream to refuse a batch of one group; writes down what it said for each. */
export async function endBatch(
  broker: Broker,
  providerName: string,
  batch: readonly QueuedEnding[],
): Promise<void> {
  const provider = broker.world().providers.get(providerName)?.provider
  if (!provider) {
    const error = `provider "${providerName}" is not configured`
    return await waitAll(broker, batch, { error, ms: IDLE_MS })
  }
  if (batch[0]?.lane === 'cleanup') return await cleanUpBatch(broker, provider, batch)
  const worth = await worthEnding(broker, provider, batch)
  if (worth.length > 0) await revoke(broker, provider, worth)
}

/** Leaves out what cannot be ended early, or had better run out than take a place from a kill. */
async function worthEnding(
  broker: Broker,
  provider: Provider,
  batch: readonly QueuedEnding[],
): Promise<readonly QueuedEnding[]> {
  const now = broker.clock.now()
  const [first] = batch
  const hopeless = batch.filter(
    ({ lease }) => provider.revoke === undefined || lease.revocability === 'expiry',
  )
  await runOutAll(broker, hopeless, 'this upstream cannot end it early; it runs out by itself')
  const able = batch.filter((ending) => !hopeless.includes(ending))
  if (first === undefined || first.groupCapacity === null || first.lease.group === null) return able

  const kills = able.filter(({ lane }) => lane === 'kill')
  const others = able.filter(({ lane }) => lane !== 'kill')
  const dying = others.filter(
    ({ lease }) =>
      lease.handle !== null && lease.latestPossibleExpiry - SKEW_MS - now < NEARLY_DEAD_MS,
  )
  await runOutAll(broker, dying, 'it is nearly dead; it runs out by itself')
  const rest = others.filter((ending) => !dying.includes(ending))
  const ids = able.map(({ lease }) => lease.id)
  const held = await broker.store.endings.stillRefused(first.lease.group, ids, now)
  const places = Math.max(0, first.groupCapacity - held.length - kills.length)
  await runOutAll(broker, rest.slice(places), 'the rest of the capacity is kept for kills')
  return [...kills, ...rest.slice(0, places)]
}

/** One call; if the upstream refuses a batch, its halves are tried apart to find the bad one. */
async function revoke(
  broker: Broker,
  provider: Provider,
  batch: readonly QueuedEnding[],
): Promise<void> {
  const { store, clock, health } = broker
  const group = batch[0]?.lease.group ?? null
  const providerName = batch[0]?.lease.provider ?? ''
  const ids = batch.map(({ lease }) => lease.id)
  const others = group === null ? [] : await store.endings.stillRefused(group, ids, clock.now())
  const outcomes = await askWithin(clock, (signal) =>
    provider.revoke?.({
      group,
      orders: batch.map(endOrderOf),
      stillRefused: others.map(endOrderOf),
      signal,
    }),
  ).catch((error: unknown) => failureOf(error))

  if (outcomes instanceof UpstreamError) {
    if (outcomes.outcome === 'refused' && batch.length > 1) {
      const middle = Math.ceil(batch.length / 2)
      await revoke(broker, provider, batch.slice(0, middle))
      return await revoke(broker, provider, batch.slice(middle))
    }
    health.failed(providerName, 'revoke')
    return await failAll(broker, batch, outcomes.message)
  }
  const failed = batch.filter(({ lease }) => !outcomes.some((o) => o.lease === lease.id && o.ok))
  if (failed.length < batch.length) health.succeeded(providerName, 'revoke')
  else health.failed(providerName, 'revoke')
  await Promise.all(batch.map((ending) => settle(broker, { provider, ending, outcomes })))
}

async function settle(
  broker: Broker,
  facts: { provider: Provider; ending: QueuedEnding; outcomes: readonly EndOutcome[] },
): Promise<void> {
  const { provider, ending, outcomes } = facts
  const { lease } = ending
  const outcome = outcomes.find((one) => one.lease === lease.id)
  if (!outcome?.ok) {
    return await failAll(broker, [ending], outcome?.error ?? 'the provider said nothing of it')
  }
  const now = broker.clock.now()
  const { store } = broker
  if (lease.handle === null) {
    // Its mint may still land: nothing seen now proves anything about later.
    const { id, latestPossibleExpiry: exposedUntil } = lease
    const nextDue = Math.min(now + CHASE_MS, exposedUntil)
    const containment = 'enforced'
    return await store.endings.contained({
      id,
      handle: lease.handle,
      containment,
      exposedUntil,
      proof: undefined,
      nextDue,
      now,
    })
  }
  const proof = outcome.proof ?? (await proofOf(broker, provider, ending))
  const proved = outcome.containment === 'proved' || proof !== undefined
  await store.endings.contained({
    id: lease.id,
    handle: lease.handle,
    containment: proved ? 'proved' : 'enforced',
    exposedUntil: proved ? Math.min(now, outcome.exposedUntil) : outcome.exposedUntil,
    proof,
    nextDue:
      proved || provider.prove === undefined
        ? null
        : now + backoffMs(ending.lane, lease.attempts, broker.random),
    now,
  })
}

async function proofOf({ clock }: Broker, provider: Provider, ending: QueuedEnding) {
  const proofs = await askWithin(clock, () => provider.prove?.([endOrderOf(ending)])).catch(
    () => [],
  )
  return proofs.find(({ lease }) => lease === ending.lease.id)?.proof
}

async function runOutAll(broker: Broker, batch: readonly QueuedEnding[], error: string) {
  const { store, clock } = broker
  const now = clock.now()
  const counts = 'wait'
  await Promise.all(
    batch.map(({ lease: { id, latestPossibleExpiry: nextDue } }) =>
      store.endings.postponed({ id, error, nextDue: Math.max(nextDue, now + 1), counts, now }),
    ),
  )
}

async function waitAll(
  { store, clock }: Broker,
  batch: readonly QueuedEnding[],
  { error, ms }: { error: string; ms: number },
): Promise<void> {
  const now = clock.now()
  await Promise.all(
    batch.map(({ lease: { id } }) =>
      store.endings.postponed({ id, error, nextDue: now + ms, counts: 'wait', now }),
    ),
  )
}
