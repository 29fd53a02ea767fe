import type { Broker } from '../broker/broker.ts'
import { endOrderOf } from '../broker/end-order.ts'
import { behindBy, untilDeath } from '../broker/surely.ts'
import type { LeaseId } from '../ids.ts'
import type { ContainmentProof, Lease } from '../model/lease.ts'
import { SKEW_MS } from '../model/lifetime.ts'
import { type EndOutcome, type Provider, UpstreamError } from '../provider.ts'
import type { QueuedEnding } from '../store/store.ts'
import { askWithin, failAll, failureOf, SAID_NOTHING } from './attempt.ts'
import { backoffMs } from './backoff.ts'
import { cleanUpBatch } from './clean-up.ts'
import { worthEnding } from './worth-ending.ts'

/** While nobody knows what a mint did, what it may have left is looked for again this often. */
const CHASE_MS = 30_000
/** From so many refused leases of a group on a kill's may be refused together. */
const MANY = 8
/** A provider that is not configured any more, or an upstream that cannot end anything early. */
const IDLE_MS = 60_000

const LEFT_ALONE = 'the upstream asked to be left alone for a while'

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
  const pause = broker.health.pauseMs(providerName)
  if (pause > 0) return await waitAll(broker, batch, { error: LEFT_ALONE, ms: pause })
  if (batch[0]?.lane === 'cleanup') return await cleanUpBatch(broker, provider, batch)
  const worth = await worthEnding(broker, provider, batch)
  if (worth.length > 0) await revoke(broker, provider, worth)
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
  const others =
    group === null ? [] : await store.endings.stillRefused(group, ids, clock.earliest())
  const kills = batch.some(({ lane }) => lane === 'kill')
  const use =
    kills && group !== null && batch.length + others.length >= MANY
      ? await store.endings.groupUse(group, clock.now())
      : undefined
  const outcomes = await askWithin(clock, (signal) =>
    provider.revoke?.({
      group,
      orders: batch.map(endOrderOf),
      stillRefused: others.map(endOrderOf),
      ...(use === undefined ? {} : { use }),
      signal,
    }),
  ).catch((error: unknown) => failureOf(error))

  if (outcomes instanceof UpstreamError) {
    const { retryAfterMs } = outcomes
    // A throttled call says nothing of the leases in it: halves would only be more calls.
    if (retryAfterMs !== undefined) health.askedToWait(providerName, retryAfterMs)
    else if (outcomes.outcome === 'refused' && batch.length > 1) {
      const middle = Math.ceil(batch.length / 2)
      await revoke(broker, provider, batch.slice(0, middle))
      return await revoke(broker, provider, batch.slice(middle))
    }
    if (saysSomethingNew(outcomes, batch)) health.failed(providerName, 'revoke')
    return await failAll(broker, batch, { error: outcomes.message, retryAfterMs })
  }
  await settleAll(broker, { provider, batch, outcomes })
}

/** One lease that is refused again and again must not look like an upstream that ends nothing. */
function saysSomethingNew(failure: UpstreamError, batch: readonly QueuedEnding[]): boolean {
  const ofAll = failure.outcome === 'unknown' || failure.retryAfterMs !== undefined
  return ofAll || batch.some(({ lease }) => lease.attempts === 0)
}

/** That an upstream refuses what died by itself, by its own clock, says nothing of what it can end. */
function isDead({ nativeExpiresAt }: Lease, now: number): boolean {
  return nativeExpiresAt !== null && nativeExpiresAt - SKEW_MS <= now
}

function ofAll(outcome: EndOutcome | undefined): boolean {
  return outcome?.ok === false && outcome.blame === 'upstream'
}

/** Writes down what the upstream said of each, and whether it was seen to refuse it. */
async function settleAll(
  broker: Broker,
  facts: { provider: Provider; batch: readonly QueuedEnding[]; outcomes: readonly EndOutcome[] },
): Promise<void> {
  const { provider, batch, outcomes } = facts
  const { health, clock } = broker
  const providerName = batch[0]?.lease.provider ?? ''
  const byLease = new Map(outcomes.map((outcome) => [outcome.lease, outcome]))
  const failed = batch.filter(({ lease }) => !byLease.get(lease.id)?.ok)
  // What was refused before and is only looked at again shows nothing of the next end.
  const isNew = (lease: Lease) => lease.containment !== 'enforced' && !isDead(lease, clock.now())
  if (batch.some(({ lease }) => byLease.get(lease.id)?.ok && isNew(lease)))
    health.succeeded(providerName, 'revoke')
  else if (failed.some(({ lease }) => lease.attempts === 0 || ofAll(byLease.get(lease.id))))
    health.failed(providerName, 'revoke')
  for (const outcome of outcomes) {
    if (!outcome.ok && outcome.retryAfterMs !== undefined)
      health.askedToWait(providerName, outcome.retryAfterMs)
  }

  const unproved = batch.filter(({ lease }) => {
    const outcome = byLease.get(lease.id)
    return lease.handle !== null && outcome?.ok && !outcome.proof
  })
  const proofs = await proofsOf(broker, provider, unproved)
  await Promise.all(
    batch.map((ending) => {
      const outcome = byLease.get(ending.lease.id)
      if (outcome?.ok) {
        const proof = outcome.proof ?? proofs.get(ending.lease.id)
        return settle(broker, { provider, ending, outcome, proof })
      }
      return failAll(broker, [ending], outcome ?? SAID_NOTHING)
    }),
  )
}

async function settle(
  broker: Broker,
  facts: {
    provider: Provider
    ending: QueuedEnding
    outcome: Extract<EndOutcome, { ok: true }>
    proof: ContainmentProof | undefined
  },
): Promise<void> {
  const { store, clock, random } = broker
  const { provider, ending, outcome, proof } = facts
  const { id, handle, nativeExpiresAt, latestPossibleExpiry, attempts } = ending.lease
  const now = clock.now()
  const behind = behindBy(broker, ending.lease.provider)
  if (handle === null) {
    // Its mint may still land: nothing seen now proves anything about later.
    return await store.endings.contained({
      id,
      handle,
      containment: 'enforced',
      exposedUntil: latestPossibleExpiry + behind,
      proof: undefined,
      nextDue: now + Math.min(CHASE_MS, untilDeath(broker, ending.lease)),
      now,
    })
  }
  const proved = outcome.containment === 'proved' || proof !== undefined
  const { exposedUntil } = outcome
  const diesByItself = exposedUntil === nativeExpiresAt || exposedUntil === latestPossibleExpiry
  const looksAgain = !proved && provider.prove !== undefined
  await store.endings.contained({
    id,
    handle,
    containment: proved ? 'proved' : 'enforced',
    exposedUntil: proved ? Math.min(now, exposedUntil) : exposedUntil + (diesByItself ? behind : 0),
    proof,
    ...(outcome.sharesPlace ? { sharesPlace: true } : {}),
    nextDue: looksAgain ? now + backoffMs(ending.lane, attempts, random) : null,
    now,
  })
}

/** Proofs by lease; a look that fails has seen nothing. */
async function proofsOf(
  { clock }: Broker,
  provider: Provider,
  batch: readonly QueuedEnding[],
): Promise<ReadonlyMap<LeaseId, ContainmentProof>> {
  const seen = new Map<LeaseId, ContainmentProof>()
  if (batch.length === 0) return seen
  const looks = askWithin(clock, () => provider.prove?.(batch.map(endOrderOf)))
  for (const { lease, proof } of await looks.catch(() => [])) if (proof) seen.set(lease, proof)
  return seen
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
