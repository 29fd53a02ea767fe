import { z } from 'zod'
import type { Clock } from '../../src/clock.ts'
import { type EndOrder, type EndOutcome, UpstreamError } from '../../src/provider.ts'
import { accountOf, isPool, type Pool, resourceName, target } from './target.ts'
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
    return each(orders, async (order) => {
      const member = memberOf(order)
      const bounds = { signal, upstreamName: order.upstreamName }
      await this.#switch(member, 'disable', bounds)
    })
  }

  /** Gives the account of each dead lease back; refuses while one of its tokens may still live. */
  release(orders: readonly EndOrder[]): Promise<readonly EndOutcome[]> {
    return each(orders, async (order) => {
      const member = memberOf(order)
      this.#refuseWhileAlive(order)
      const late = this.#lateEnables.get(member.account) ?? 0
      if (late > this.#clock.now()) {
        throw new UpstreamError('unknown', `an earlier enable of ${member.account} may still land`)
      }
      const bounds = {
        signal: AbortSignal.timeout(RELEASE_DEADLINE_MS),
        upstreamName: order.upstreamName,
      }
      const upstream = await this.#upstream()
      if (!(await isDisabled(upstream, member, bounds))) return
      try {
        await this.#switch(member, 'enable', bounds)
      } catch (error) {
        if (error instanceof UpstreamError && error.outcome === 'unknown') {
          this.#lateEnables.set(member.account, this.#clock.now() + LATE_ENABLE_MS)
        }
        throw error
      }
      this.#lateEnables.delete(member.account)
    })
  }

  /** The earlier of two clocks decides, as everywhere where lateness is the safe side. */
  #refuseWhileAlive(order: EndOrder): void {
    const dead = Math.max(order.latestPossibleExpiry, order.nativeExpiresAt ?? 0)
    if (this.#clock.earliest() <= dead) {
      throw new UpstreamError(
        'refused',
        `a token of ${order.slot} may live until ${new Date(dead).toISOString()}: enabling it would revive it`,
      )
    }
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
  readonly pool: Pool
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
  return { account, name: resourceName(given.data, account), pool: given.data }
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

/** Runs `act` for every order, a few at once; each order has its own outcome. */
async function each(
  orders: readonly EndOrder[],
  act: (order: EndOrder) => Promise<void>,
): Promise<readonly EndOutcome[]> {
  const outcomes: EndOutcome[] = []
  for (let at = 0; at < orders.length; at += CALLS_AT_ONCE) {
    const some = orders.slice(at, at + CALLS_AT_ONCE)
    outcomes.push(...(await Promise.all(some.map((order) => outcomeOf(order, act)))))
  }
  return outcomes
}

/**
 * `enforced` is all that is known: how long switching off takes to bite has no upper bound that
 * Google states, so the credential counts as exposed until it dies by itself.
 */
async function outcomeOf(
  order: EndOrder,
  act: (order: EndOrder) => Promise<void>,
): Promise<EndOutcome> {
  try {
    await act(order)
    return {
      lease: order.lease,
      ok: true,
      containment: 'enforced',
      exposedUntil: order.nativeExpiresAt ?? order.latestPossibleExpiry,
    }
  } catch (error) {
    const text = error instanceof UpstreamError ? error.message : 'failed unexpectedly'
    return { lease: order.lease, ok: false, error: text }
  }
}
