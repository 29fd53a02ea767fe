/**
 * Ends leases by name: delete the policy, so that even a token that appears later can do nothing →
 * revoke the secrets inline → revoke the tokens → look whether Vault has forgotten them.
 * Each step is tried even where the one before failed; nothing found is success.
 */
import {
  type EndOrder,
  type EndOutcome,
  type RevokeBatch,
  UpstreamError,
} from '../../src/provider.ts'
import { VaultRefusedError } from './client.ts'
import { knownOf, provable, targetOf } from './ended-target.ts'
import { engineOf } from './engine.ts'
import { lookFor } from './evidence.ts'
import { type Handle, joinHandles, NOTHING_KNOWN, parseHandle } from './handle.ts'
import { sweepAccessors } from './sweep.ts'
import { policyPath, type Upstream, vaultOf } from './upstream.ts'

/** Orders ended at once; more would only queue inside Vault. */
const PARALLEL = 8

export async function end(upstream: Upstream, batch: RevokeBatch): Promise<readonly EndOutcome[]> {
  const { signal } = batch
  let sweeping: ReturnType<typeof sweepAccessors> | undefined
  const sweep = () => {
    sweeping ??= sweepAccessors(upstream, signal)
    return sweeping
  }
  const outcomes: EndOutcome[] = []
  let throttled: number | undefined
  const queue = [...batch.orders]
  const worker = async () => {
    for (let order = queue.shift(); order; order = queue.shift()) {
      // What waits behind a refusal for too many calls would only be one more of them.
      const outcome =
        throttled === undefined
          ? await endOne(upstream, { order, sweep, signal })
          : leftAlone(order, throttled)
      if (!outcome.ok && outcome.retryAfterMs !== undefined) throttled = outcome.retryAfterMs
      outcomes.push(outcome)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return outcomes
}

function leftAlone({ lease }: EndOrder, retryAfterMs: number): EndOutcome {
  const error = 'vault has too much to do; it was not asked'
  return { lease, ok: false, error, blame: 'upstream', retryAfterMs }
}

interface Ending {
  readonly order: EndOrder
  readonly sweep: () => ReturnType<typeof sweepAccessors>
  readonly signal: AbortSignal
}

async function endOne(upstream: Upstream, ending: Ending): Promise<EndOutcome> {
  const { order, signal } = ending
  const madeAt = parseHandle(order.handle).vault
  const here = vaultOf(upstream.settings)
  if (madeAt !== undefined && madeAt !== here) {
    const error = `it was made at ${madeAt}, and this provider is now ${here}: it runs out by itself`
    return { lease: order.lease, ok: false, error }
  }
  const failures: string[] = []
  let retryAfterMs: number | undefined
  const attempt = async <T>(step: () => Promise<T>): Promise<T | undefined> => {
    if (retryAfterMs !== undefined) return undefined
    try {
      return await step()
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      failures.push(error.message)
      retryAfterMs ??= error.retryAfterMs
      return undefined
    }
  }
  // Nothing but Vault itself has a part in this step: what fails here fails for every lease.
  await attempt(() => deletePolicy(upstream, order.upstreamName, signal))
  const deleted = failures.length === 0
  const handle = (await attempt(() => everythingOf(upstream, ending))) ?? NOTHING_KNOWN
  for (const lease of handle.leases) await attempt(() => revokeSecret(upstream, lease, signal))
  for (const accessor of handle.accessors) {
    await attempt(() => revokeToken(upstream, accessor, signal))
  }
  const evidence = await attempt(() => lookFor(upstream, handle, signal))
  const alive = evidence?.seen === 'alive'
  if (alive) failures.push('vault accepted the end, but still knows the lease')
  if (failures.length > 0 || !evidence) {
    const error = [...new Set(failures)].join('; ')
    const blame = !deleted || (alive && failures.length === 1)
    return {
      lease: order.lease,
      ok: false,
      error,
      ...(blame ? { blame: 'upstream' } : {}),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }
  }
  upstream.strays.delete(order.upstreamName)
  upstream.listed.delete(order.upstreamName)
  if (evidence.seen === 'gone' && provable(order)) {
    const { proof } = evidence
    return {
      lease: order.lease,
      ok: true,
      containment: 'proved',
      exposedUntil: proof.at,
      proof,
    }
  }
  const exposedUntil = exposedUntilOf(order, handle, upstream.clock.now())
  return { lease: order.lease, ok: true, containment: 'enforced', exposedUntil }
}

/** By handle where there is a complete one, else by what is remembered and what a sweep finds. */
async function everythingOf(upstream: Upstream, ending: Ending): Promise<Handle> {
  const { order, sweep } = ending
  const stored = knownOf(order)
  // Whoever made a token under this name beside us: it was seen, and it has to go, too.
  const listed = upstream.listed.get(order.upstreamName) ?? []
  if (stored.complete) {
    return joinHandles(stored, { accessors: [...listed], leases: [], complete: true })
  }
  const stray = upstream.strays.get(order.upstreamName)
  const known = stray ? { ...joinHandles(stored, stray), complete: false } : stored
  const found = (await sweep())?.get(order.upstreamName) ?? []
  return joinHandles(known, { accessors: [...found], leases: [], complete: false })
}

/** Idempotent: Vault answers 204 for a policy it does not have. */
async function deletePolicy(
  { ender }: Upstream,
  upstreamName: string,
  signal: AbortSignal,
): Promise<void> {
  await ender.call({ method: 'delete', path: policyPath(upstreamName), signal })
}

/** Inline: when Vault answers, its backend has removed the secret. An unknown lease is success. */
async function revokeSecret(
  { ender }: Upstream,
  lease: string,
  signal: AbortSignal,
): Promise<void> {
  const data = { lease_id: lease, sync: true }
  await ender.call({ method: 'write', path: 'sys/leases/revoke', data, signal })
}

/** The token and its children, at once; an accessor nobody knows is success in every version. */
async function revokeToken(
  { ender }: Upstream,
  accessor: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    const path = 'auth/token/revoke-accessor'
    await ender.call({ method: 'write', path, data: { accessor }, signal })
  } catch (error) {
    const known = error instanceof VaultRefusedError && error.status === 400
    if (!known || !/invalid accessor|token not found/.test(error.reason)) throw error
  }
}

/**
 * Without its policy no token can do anything, also one that appears later. A secret that was read
 * in a call whose answer was lost dies with its token, but only in Vault's own queue. What bites
 * later than Vault answers has no bound to rely on, so it counts to its own end.
 */
function exposedUntilOf(order: EndOrder, handle: Handle, now: number): number {
  const target = targetOf(order)
  if (target?.kind === 'token') return now
  if (!handle.complete) return order.latestPossibleExpiry
  const nativeEnd = order.nativeExpiresAt ?? order.latestPossibleExpiry
  if (target === undefined) return nativeEnd
  return engineOf(target).revocability === 'immediate' ? Math.min(nativeEnd, now) : nativeEnd
}
