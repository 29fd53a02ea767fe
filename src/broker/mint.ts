import type { Clock } from '../clock.ts'
import { MayflyError } from '../errors.ts'
import type { KeyName } from '../model/key.ts'
import type { Lease } from '../model/lease.ts'
import { MINT_DEADLINE_MS, SKEW_MS } from '../model/lifetime.ts'
import { type Minted, type MintOrder, UpstreamError } from '../provider.ts'
import type { MintFacts } from '../store/store.ts'
import type { Broker } from './broker.ts'
import type { Issued } from './issued.ts'
import type { Plan } from './plan.ts'

/**
 * Asks the upstream for what is reserved, then activates it. If anything came between, or nobody
 * knows what the upstream did, the lease is ending when this throws, and nothing was answered.
 */
export async function mintReserved(
  broker: Broker,
  {
    lease,
    plan,
    key,
  }: { readonly lease: Lease; readonly plan: Plan; readonly key: KeyName | null },
): Promise<Issued> {
  const { store, clock, health } = broker
  const minted = await askUpstream(broker, { lease, plan, key, how: 'mint' }).catch(
    async (error) => {
      const failure = upstreamFailure(error)
      if (failure.outcome === 'refused') {
        if (lease.slot !== null) health.slotRefused(lease.provider, lease.slot)
        await store.leases.fail(lease.id, failure.message, clock.now())
        throw refusedBy(lease, failure)
      }
      health.failed(lease.provider, 'mint')
      await store.leases.unknownOutcome(lease.id, failure.message, clock.now())
      throw noAnswerFrom(lease, failure)
    },
  )
  const facts = factsOf(lease, plan, minted)
  const activated = await store.leases.activate(lease.id, facts, clock.now())
  if (!activated.ok) throw overtaken(activated.lease)
  await endIfSkewed(broker, { lease, minted })
  health.succeeded(lease.provider, 'mint')
  return { lease: activated.lease, credential: minted.credential }
}

/** One call under the mint deadline. A late answer is still written down, so that it is ended. */
export function askUpstream(broker: Broker, { lease, plan, key, how }: MintCall): Promise<Minted> {
  const { store, clock, log, health } = broker
  const { provider } = plan.instance
  const ask = how === 'renew' ? (provider.renew ?? provider.mint) : provider.mint
  return withDeadline(clock, {
    run: async (signal) => {
      const minted = await ask.call(provider, orderOf({ lease, plan, key, how }, signal))
      if (minted.fullness !== undefined) health.filled(lease.provider, minted.fullness)
      return minted
    },
    late: (minted) => {
      store.leases
        .activate(lease.id, factsOf(lease, plan, minted), clock.now())
        .catch((error) => log.error({ lease: lease.id, err: error }, 'late mint not recorded'))
    },
  })
}

interface MintCall {
  readonly lease: Lease
  readonly plan: Plan
  /** The key its task is bound to. */
  readonly key: KeyName | null
  readonly how: 'mint' | 'renew'
}

function orderOf({ lease, plan, key, how }: MintCall, signal: AbortSignal): MintOrder {
  return {
    lease: lease.id,
    upstreamName: lease.upstreamName,
    generation: how === 'renew' ? lease.generation + 1 : lease.generation,
    task: lease.task,
    agent: lease.agent,
    tenant: lease.tenant,
    holder: { key, chain: lease.chain },
    target: plan.entitlement.target,
    targetName: lease.target,
    group: lease.group,
    scope: lease.scope,
    intent: plan.intent,
    ttlSeconds: plan.lifetime.ttlSeconds,
    notAfter: plan.lifetime.notAfter,
    slot: lease.slot,
    handle: lease.handle,
    signal,
  }
}

/** Never longer than planned, whatever the upstream says (P5); its own expiry as it is. */
export function factsOf(lease: Lease, { lifetime }: Plan, minted: Minted): MintFacts {
  const nativeExpiresAt = Math.max(minted.nativeExpiresAt, lease.nativeExpiresAt ?? 0)
  return {
    expiresAt: Math.min(minted.expiresAt, lifetime.notAfter),
    nativeExpiresAt,
    latestPossibleExpiry: nativeExpiresAt + SKEW_MS,
    handle: minted.handle,
  }
}

/** P17: a lease whose upstream lives in another time cannot be bounded; it ends undelivered. */
async function endIfSkewed(
  { store, clock, health }: Broker,
  { lease, minted }: { lease: Lease; minted: Minted },
): Promise<void> {
  if (minted.upstreamTime === undefined) return
  const now = clock.now()
  if (health.measuredSkew(lease.provider, minted.upstreamTime - now)) return
  const { id } = lease
  await store.leases.end({ id, cause: 'not-activated', lane: 'end', actor: 'mayfly', now })
  throw new MayflyError('not_revocable_now', `the clocks of ${lease.provider} and mayfly differ`, {
    retryAfterSeconds: 60,
  })
}

export function upstreamFailure(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error
  // A provider's bug says nothing about what the upstream did.
  const name = error instanceof Error ? error.name : 'unknown error'
  return new UpstreamError('unknown', `the provider failed: ${name}`)
}

export function refusedBy(lease: Lease, failure: UpstreamError): MayflyError {
  return new MayflyError('upstream_refused', `${lease.provider} refused: ${failure.message}`, {
    cause: failure,
    detail: { lease: lease.id, upstream_code: failure.upstreamCode },
  })
}

export function noAnswerFrom(lease: Lease, failure: UpstreamError): MayflyError {
  return new MayflyError('upstream_unavailable', `${lease.provider} gave no usable answer`, {
    cause: failure,
    detail: { lease: lease.id, error: failure.message },
    retryAfterSeconds: 5,
  })
}

export function overtaken(lease: Lease): MayflyError {
  const killed = lease.cause === 'killed' || lease.cause === 'signal'
  return killed
    ? new MayflyError('blocked', 'a kill came first; nothing was issued', {
        detail: { lease: lease.id },
      })
    : new MayflyError('lease_ended', 'the lease was ended before it could be used', {
        detail: { lease: lease.id, cause: lease.cause },
      })
}

function withDeadline(
  clock: Clock,
  call: {
    readonly run: (signal: AbortSignal) => Promise<Minted>
    readonly late: (minted: Minted) => void
  },
): Promise<Minted> {
  const controller = new AbortController()
  return new Promise((resolve, reject) => {
    let over = false
    const cancel = clock.after(MINT_DEADLINE_MS, () => {
      over = true
      reject(new UpstreamError('unknown', `no answer within ${MINT_DEADLINE_MS / 1000} s`))
      controller.abort()
    })
    call.run(controller.signal).then(
      (minted) => {
        cancel()
        if (over) call.late(minted)
        else resolve(minted)
      },
      (error) => {
        cancel()
        reject(error)
      },
    )
  })
}
