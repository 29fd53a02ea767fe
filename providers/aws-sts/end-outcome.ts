/** What is known of a lease's end on its role: before it is asked for, and once IAM accepted it. */
import { SKEW_MS } from '../../src/model/lifetime.ts'
import type { EndOrder, EndOutcome, RevokeBatch } from '../../src/provider.ts'
import type { Refused } from './refused.ts'
import { refusesByTags } from './tag-denials.ts'

/**
 * Whose renewal may still land is not known by its handle: what tags refuse may not be all of it.
 * Where nobody says which renewals those are, every lease that ends now could have one.
 */
export function asFarAsKnown(batch: RevokeBatch): RevokeBatch {
  const { use } = batch
  const renewing = new Set(use?.renewing)
  const unsure = (order: EndOrder) => ({ ...order, handle: null })
  return {
    ...batch,
    orders: batch.orders.map((one) => (!use || renewing.has(one.lease) ? unsure(one) : one)),
    stillRefused: batch.stillRefused.map((one) => (renewing.has(one.lease) ? unsure(one) : one)),
  }
}

/** Enforced, not proved: IAM accepted it and tells nobody when it has arrived everywhere. */
export function enforced(order: EndOrder, { tags }: Refused): EndOutcome {
  return {
    lease: order.lease,
    ok: true,
    containment: 'enforced',
    exposedUntil: exposedUntil(order),
    ...(tags.some((one) => refusesByTags(one, order)) ? { sharesPlace: true } : {}),
  }
}

/**
 * When the last known session dies by itself. `latestPossibleExpiry` lies just the clock skew behind
 * it; where it is later, a renewal's answer never came, and its session may exist.
 */
function exposedUntil({ nativeExpiresAt, latestPossibleExpiry }: EndOrder): number {
  if (nativeExpiresAt === null) return latestPossibleExpiry
  const renewing = latestPossibleExpiry > nativeExpiresAt + SKEW_MS
  return renewing ? latestPossibleExpiry : nativeExpiresAt
}
