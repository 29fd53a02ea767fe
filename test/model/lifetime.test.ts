import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lifetimeOf, MINT_DEADLINE_MS, SKEW_MS } from '../../src/model/lifetime.ts'

const NOW = 1_800_000_000_000

const bounds = {
  now: NOW,
  earliest: NOW,
  requestedSeconds: 300,
  entitlementMaxSeconds: 900,
  providerMaxSeconds: 3_600,
  nativeFloorSeconds: 1,
  deadline: NOW + 3_600_000,
}

describe('P5: a lifetime', () => {
  it('is what was asked for where nothing is shorter', () => {
    expect(lifetimeOf(bounds)).toEqual({
      ttlSeconds: 300,
      notAfter: NOW + 300_000,
      latestPossibleExpiry: NOW + 300_000 + MINT_DEADLINE_MS + SKEW_MS,
    })
  })

  it.each([
    ['the request', { requestedSeconds: 7 }],
    ['the entitlement', { entitlementMaxSeconds: 7 }],
    ['the provider', { providerMaxSeconds: 7 }],
    ['the deadline', { deadline: NOW + 7_999 }],
  ])('is bounded by %s', (_what, change) => {
    expect(lifetimeOf({ ...bounds, ...change })?.ttlSeconds).toBe(7)
  })

  it('does not exist with less than a second left, or without a readable bound', () => {
    expect(lifetimeOf({ ...bounds, deadline: NOW + 999 })).toBeUndefined()
    expect(lifetimeOf({ ...bounds, deadline: NOW - 1 })).toBeUndefined()
    expect(lifetimeOf({ ...bounds, requestedSeconds: 0 })).toBeUndefined()
    expect(lifetimeOf({ ...bounds, requestedSeconds: -5 })).toBeUndefined()
    expect(lifetimeOf({ ...bounds, requestedSeconds: Number.NaN })).toBeUndefined()
    expect(lifetimeOf({ ...bounds, deadline: Number.NaN })).toBeUndefined()
  })

  it('of a clock that was set back ends by the earlier clock, and is chased by the later', () => {
    const lifetime = lifetimeOf({ ...bounds, earliest: NOW - 60_000 })
    expect(lifetime?.notAfter).toBe(NOW - 60_000 + 300_000)
    expect(lifetime?.latestPossibleExpiry).toBe(NOW + 300_000 + MINT_DEADLINE_MS + SKEW_MS)
  })

  it('never passes any bound, and nothing that lands in time outlives the chase', () => {
    const any = fc.record({
      now: fc.integer({ min: 0, max: 4e12 }),
      behind: fc.integer({ min: 0, max: 1e9 }),
      requestedSeconds: fc.integer({ min: -10, max: 200_000 }),
      entitlementMaxSeconds: fc.integer({ min: 0, max: 200_000 }),
      providerMaxSeconds: fc.integer({ min: 0, max: 200_000 }),
      nativeFloorSeconds: fc.integer({ min: 0, max: 3_600 }),
      left: fc.integer({ min: -10_000, max: 200_000_000 }),
    })
    fc.assert(
      fc.property(any, ({ now, behind, left, ...seconds }) => {
        const all = { ...seconds, now, earliest: now - behind, deadline: now + left }
        const lifetime = lifetimeOf(all)
        const least = Math.min(
          all.requestedSeconds,
          all.entitlementMaxSeconds,
          all.providerMaxSeconds,
          left / 1000,
        )
        if (!lifetime) {
          expect(least).toBeLessThan(1)
          return
        }
        const { ttlSeconds, notAfter, latestPossibleExpiry } = lifetime
        expect(ttlSeconds).toBeLessThanOrEqual(least)
        expect(ttlSeconds).toBeGreaterThan(least - 1)
        expect(notAfter).toBeLessThanOrEqual(all.earliest + ttlSeconds * 1000)
        expect(notAfter).toBeLessThanOrEqual(all.deadline)
        const landsLast = now + MINT_DEADLINE_MS
        const native = Math.max(ttlSeconds, all.nativeFloorSeconds) * 1000
        expect(latestPossibleExpiry).toBeGreaterThanOrEqual(landsLast + native + SKEW_MS)
      }),
    )
  })
})
