import { z } from 'zod'
import type { Clock } from '../../src/clock.ts'
import { SKEW_MS } from '../../src/model/lifetime.ts'
import { type EndOrder, type EndOutcome, UpstreamError } from '../../src/provider.ts'
import { inBatches } from './batches.ts'
import { accountOf, isPool, resourceName, target } from './target.ts'
import type { Bounds, Upstream } from './upstream.ts'

/** IAM allows 600 writes a minute and project; a batch must not spend them at once. */
const CALLS_AT_ONCE = 8
/** One enable and its verification. */
const RELEASE_DEADLINE_MS = 15_000
/**
 * How long an `enable` whose answer never came may still take effect. Until then its account is
 * not given back, because it could switch the next lease's account on again.
 */
const LATE_ENABLE_MS = 120_000

/**
 * The exclusive service accounts: ending a lease switches its account off, and only when the last
 * token has died is it switched on again, since that makes old tokens valid again.
 * https://cloud.google.com/iam/docs/service-accounts-disable-enable
 */
export class AccountPool {
  readonly #upstream: () => Promise<Upstream>
  readonly #clock: Clock
  readonly #lateEnables = new Map<string, number>()

  constructor(upstream: () => Promise<Upstream>, clock: Clock) {
    this.#upstream = upstream
    this.#clock = clock
  }

  /** Switches off the account of each lease and sees that it is off; idempotent. */
  revoke(orders: readonly EndOrder[], signal: AbortSignal): Promise<readonly EndOutcome[]> {
    return inBatches(orders, CALLS_AT_ONCE, (order) =>
      outcomeOf(order, () =>
        this.#switch(memberOf(order), 'disable', { signal, upstreamName: order.upstreamName }),
      ),
    )
  }

  /** Gives the account of each dead lease back; refuses while one of its tokens may still live. */
  release(orders: readonly EndOrder[]): Promise<readonly EndOutcome[]> {
    return inBatches(orders, CALLS_AT_ONCE, (order) =>
      outcomeOf(order, () => this.#giveBack(order)),
    )
  }

  /** Refuses unless dead for sure → looks → enables → sees that it is enabled. */
  async #giveBack(order: EndOrder): Promise<void> {
    const member = memberOf(order)
    this.#refuseWhileAlive(order)
    this.#refuseWhileEnabling(member)
    const signal = AbortSignal.timeout(RELEASE_DEADLINE_MS)
    const bounds = { signal, upstreamName: order.upstreamName }
    if (!(await isDisabled(await this.#upstream(), member, bounds))) return
    try {
      await this.#switch(member, 'enable', bounds)
    } catch (error) {
      const surelyNot = error instanceof UpstreamError && error.outcome === 'refused'
      if (!surelyNot) this.#lateEnables.set(member.account, this.#clock.now() + LATE_ENABLE_MS)
      throw error
    }
  }

  /** The earlier of two clocks decides, as everywhere where lateness is the safe side. */
  #refuseWhileAlive(order: EndOrder): void {
    const dead = Math.max(order.latestPossibleExpiry, order.nativeExpiresAt ?? 0)
    if (this.#clock.earliest() >= dead) return
    throw new UpstreamError(
      'refused',
      `a token of ${order.slot} may live until ${new Date(dead).toISOString()}: enabling it would revive it`,
    )
  }

  #refuseWhileEnabling({ account }: Member): void {
    const until = this.#lateEnables.get(account)
    if (until !== undefined && this.#clock.now() < until) {
      throw new UpstreamError('unknown', `an earlier enable of ${account} may still take effect`)
    }
    this.#lateEnables.delete(account)
  }

  async #switch(member: Member, verb: 'disable' | 'enable', bounds: Bounds): Promise<void> {
    const upstream = await this.#upstream()
    const path = `${member.name}:${verb}`
    await upstream.iam(upstream.revoker, { method: 'POST', path, body: {} }, bounds)
    if ((await isDisabled(upstream, member, bounds)) !== (verb === 'disable')) {
      throw new UpstreamError('unknown', `${verb} of ${member.account} answered, but did nothing`)
    }
  }
}

interface Member {
  readonly account: string
  readonly name: string
}

function memberOf(order: EndOrder): Member {
  const given = target.safeParse(order.target)
  if (!given.success) throw new UpstreamError('refused', 'the lease has no target of this provider')
  if (!isPool(given.data)) {
    throw new UpstreamError(
      'refused',
      'tokens of a shared service account cannot be ended early: they end by expiry',
    )
  }
  const account = accountOf(given.data, order.slot)
  if (account === undefined) {
    throw new UpstreamError('refused', `slot ${order.slot} is not an account of the target's pool`)
  }
  return { account, name: resourceName(given.data, account) }
}

const view = z.object({ disabled: z.boolean().optional() })

/** What IAM says of the account now; the field is left out while it is enabled. */
export async function isDisabled(
  upstream: Upstream,
  member: { readonly name: string },
  bounds: Bounds,
): Promise<boolean> {
  const request = { method: 'GET', path: member.name } as const
  const answer = await upstream.iam(upstream.revoker, request, bounds)
  const parsed = view.safeParse(answer.body)
  if (!parsed.success) throw new UpstreamError('unknown', `${member.name}: not an account`)
  return parsed.data.disabled ?? false
}

/**
 * `enforced` is all that is known: how long switching off takes to bite has no upper bound that
 * Google states, so the credential counts as exposed until it dies by itself.
 */
async function outcomeOf(order: EndOrder, act: () => Promise<void>): Promise<EndOutcome> {
  try {
    await act()
    return {
      lease: order.lease,
      ok: true,
      containment: 'enforced',
      exposedUntil: exposedUntil(order),
    }
  } catch (error) {
    const text = error instanceof UpstreamError ? error.message : 'failed unexpectedly'
    return { lease: order.lease, ok: false, error: text }
  }
}

/**
 * The native expiry of the last known token. `latestPossibleExpiry` lies just the clock skew behind
 * it; where it is later, a renewal's answer never came, and its token may exist.
 */
function exposedUntil(order: EndOrder): number {
  const { nativeExpiresAt, latestPossibleExpiry } = order
  if (nativeExpiresAt === null) return latestPossibleExpiry
  const renewing = latestPossibleExpiry > nativeExpiresAt + SKEW_MS
  return renewing ? latestPossibleExpiry : nativeExpiresAt
}
