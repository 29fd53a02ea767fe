/** How long a mint may take before its outcome counts as unknown (design §5). */
export const MINT_DEADLINE_MS = 10_000
/** How far an upstream's clock may be from ours before nothing is minted there (P17). */
export const SKEW_MS = 30_000

export interface Lifetime {
  /** Granted, in seconds: never more than any of the bounds (P5). */
  readonly ttlSeconds: number
  /** No credential of the lease may work after it, as far as the upstream can say so. */
  readonly notAfter: number
  /** When a mint that lands at its deadline could die at the latest. */
  readonly latestPossibleExpiry: number
}

/**
 * Lifetime = min(request, entitlement, task deadline, provider), from the earlier of two clocks.
 * Undefined if there is not a whole second left.
 */
export function lifetimeOf(bounds: {
  readonly now: number
  readonly earliest: number
  readonly requestedSeconds: number
  readonly entitlementMaxSeconds: number
  readonly providerMaxSeconds: number
  readonly nativeFloorSeconds: number
  readonly deadline: number
}): Lifetime | undefined {
  const { now, earliest, deadline, nativeFloorSeconds } = bounds
  const ttlSeconds = Math.min(
    bounds.requestedSeconds,
    bounds.entitlementMaxSeconds,
    bounds.providerMaxSeconds,
    Math.floor((deadline - now) / 1000),
  )
  if (!(ttlSeconds >= 1)) return undefined // also when a bound cannot be read
  const nativeMs = Math.max(ttlSeconds, nativeFloorSeconds) * 1000
  return {
    ttlSeconds,
    notAfter: Math.min(earliest + ttlSeconds * 1000, deadline),
    latestPossibleExpiry: now + MINT_DEADLINE_MS + nativeMs + SKEW_MS,
  }
}
