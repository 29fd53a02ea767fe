import type { Clock } from '../../src/clock.ts'
import { SKEW_MS } from '../../src/model/lifetime.ts'
import type { UpstreamWriter } from '../../src/model/upstream-writer.ts'
import {
  type EndOrder,
  type EndOutcome,
  type InventoryItem,
  type SlotOutcome,
  UpstreamError,
} from '../../src/provider.ts'
import { inBatches } from './batches.ts'
import { LONGEST_SECONDS, TYPICAL_SECONDS, WORST_SECONDS } from './compile.ts'
import { isDisabled, type Member, memberOf } from './pool-member.ts'
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
/** Enabling propagates like disabling: until then Google refuses to make tokens of the account. */
const SETTLE_MS = TYPICAL_SECONDS * 1_000
/**
 * How long after an account was disabled, or its minter gone, no token of it can be alive, whoever
 * asked for one: the longest life, after the worst known time in which one could still be minted.
 */
const OFF_MS = (LONGEST_SECONDS + WORST_SECONDS) * 1_000 + SKEW_MS

/**
 * The exclusive service accounts: ending a lease switches its account off, and only when the last
 * token has died is it switched on again, since that makes old tokens valid again.
 * https://cloud.google.com/iam/docs/service-accounts-disable-enable
 */
export class AccountPool {
  readonly #upstream: () => Promise<Upstream>
  readonly #clock: Clock
  readonly #writer: UpstreamWriter
  readonly #lateEnables = new Map<string, number>()
  /** When each account was given back that is not lent again yet. */
  readonly #enabledAt = new Map<string, number>()
  /** By account: the lease for which it was seen disabled. */
  readonly #offFor = new Map<string, string>()
  /** Since when each account was seen disabled and never enabled since, on the monotonic tick. */
  readonly #offSince = new Map<string, number>()

  constructor(
    upstream: () => Promise<Upstream>,
    { clock, writer }: { readonly clock: Clock; readonly writer: UpstreamWriter },
  ) {
    this.#upstream = upstream
    this.#clock = clock
    this.#writer = writer
  }

  /** Switches off the account of each lease and sees that it is off; idempotent. */
  revoke(orders: readonly EndOrder[], signal: AbortSignal): Promise<readonly EndOutcome[]> {
    return inBatches(orders, CALLS_AT_ONCE, (order) =>
      outcomeOf(order, () => this.#switchOff(order, { signal, upstreamName: order.upstreamName })),
    )
  }

  /** Gives the account of each dead lease back; refuses while one of its tokens may still live. */
  release(orders: readonly EndOrder[]): Promise<readonly EndOutcome[]> {
    return inBatches(orders, CALLS_AT_ONCE, (order) =>
      outcomeOf(order, () => this.#giveBack(order)),
    )
  }

  /**
   * Asked again for the same lease it looks first: writes are scarce (600 a minute and project), and
   * an end is asked for until it is proved.
   */
  async #switchOff(order: EndOrder, bounds: Bounds): Promise<void> {
    const member = memberOf(order)
    const again = this.#offFor.get(member.account) === order.upstreamName
    if (again && (await isDisabled(await this.#upstream(), member, bounds))) return
    this.#offFor.delete(member.account)
    await this.#switch(member, 'disable', bounds)
    this.#offFor.set(member.account, order.upstreamName)
  }

  /** Takes in what an inventory showed of the accounts. */
  saw(items: readonly InventoryItem[]): void {
    for (const { slot, works } of items) {
      if (slot === undefined) continue
      if (works !== false) this.#offSince.delete(slot)
      else if (!this.#offSince.has(slot)) this.#offSince.set(slot, this.#clock.monotonic())
    }
  }

  /** Switches on again what no lease holds, once nothing that was minted on it can be alive. */
  giveBack(slots: readonly string[]): Promise<readonly SlotOutcome[]> {
    return inBatches(slots, CALLS_AT_ONCE, async (slot) => {
      try {
        await this.#giveBackFree(slot)
        return { slot, ok: true }
      } catch (error) {
        return { slot, ok: false, error: messageOf(error) }
      }
    })
  }

  async #giveBackFree(account: string): Promise<void> {
    const member = { account, name: `projects/-/serviceAccounts/${encodeURIComponent(account)}` }
    this.#refuseWhileEnabling(member)
    const since = this.#offSince.get(account)
    const left = since === undefined ? OFF_MS : since + OFF_MS - this.#clock.monotonic()
    if (left > 0) {
      throw new UpstreamError(
        'refused',
        `a token of ${account} may be alive: it is switched on when it has been seen disabled for ${Math.ceil(left / 60_000)} more minutes`,
      )
    }
    const signal = AbortSignal.timeout(RELEASE_DEADLINE_MS)
    await this.#enable(member, { signal, upstreamName: 'mayfly-reconcile' })
    this.#offSince.delete(account)
  }

  /** Refuses unless dead for sure → looks → enables → sees that it is enabled. */
  async #giveBack(order: EndOrder): Promise<void> {
    const member = memberOf(order)
    this.#refuseWhileAlive(order)
    this.#refuseWhileEnabling(member)
    const signal = AbortSignal.timeout(RELEASE_DEADLINE_MS)
    const bounds = { signal, upstreamName: order.upstreamName }
    if (await isDisabled(await this.#upstream(), member, bounds)) {
      await this.#enable(member, bounds)
      this.#enabledAt.set(member.account, this.#clock.now())
    }
    this.#refuseWhileSettling(member)
  }

  #refuseWhileSettling({ account }: Member): void {
    const since = this.#enabledAt.get(account)
    if (since !== undefined && this.#clock.now() < since + SETTLE_MS) {
      throw new UpstreamError(
        'unknown',
        `${account} is enabled; it is free when that is known everywhere`,
      )
    }
    this.#enabledAt.delete(account)
  }

  async #enable(member: Member, bounds: Bounds): Promise<void> {
    this.#offFor.delete(member.account)
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
    const own = Math.max(order.latestPossibleExpiry, order.nativeExpiresAt ?? 0)
    const dead = Math.max(own, this.#othersDead(order))
    if (this.#clock.earliest() >= dead) return
    throw new UpstreamError(
      'refused',
      `a token of ${order.slot} may live until ${new Date(dead).toISOString()}: enabling it would revive it`,
    )
  }

  /**
   * When whatever a later generation of this store minted on the account is dead, too: it may have
   * freed the account of a lease from before a restore, lent it again, and switched it off since.
   */
  #othersDead({ upstreamName }: EndOrder): number {
    const { restoredAt } = this.#writer
    const own = restoredAt === undefined || this.#writer.latestExpiry(upstreamName) !== undefined
    return own ? 0 : restoredAt + OFF_MS
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
    const { outcome, retryAfterMs } = error instanceof UpstreamError ? error : {}
    return {
      lease: order.lease,
      ok: false,
      error: messageOf(error),
      ...(outcome === 'unknown' || retryAfterMs !== undefined ? { blame: 'upstream' } : {}),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof UpstreamError ? error.message : 'failed unexpectedly'
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
