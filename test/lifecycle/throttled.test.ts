import { describe, expect, it } from 'vitest'
import { type EndOutcome, retryAfterOf, UpstreamError } from '../../src/provider.ts'
import { proved, Scripted, station } from './fixture.ts'

describe('P13: an upstream with too much to do', () => {
  it('is left alone as long as it asks, also by what comes meanwhile', async () => {
    const upstream = new Scripted()
    upstream.revoke = () => {
      throw new UpstreamError('refused', 'too many requests', undefined, 20_000)
    }
    const one = station({ upstream })
    const task = await one.openTask()
    const [first, second] = [await one.active(task), await one.active(task)]
    await one.start()
    await one.end(first)
    await one.pass(1_000)
    expect(upstream.calls).toHaveLength(1)
    upstream.revoke = async ({ orders }) => orders.map(proved)
    await one.end(second)
    await one.pass(15_000)
    expect(upstream.calls).toHaveLength(1)
    await one.pass(16_000)
    for (const { id } of [first, second])
      expect(await one.lease(id)).toMatchObject({ state: 'ended' })
  })

  it('is not asked for halves of a batch that it had no time for', async () => {
    const upstream = new Scripted()
    upstream.revoke = () => {
      throw new UpstreamError('refused', 'Throttling', 'Throttling', 0)
    }
    const one = station({ upstream })
    const task = await one.openTask()
    const leases = await Promise.all(Array.from({ length: 16 }, () => one.active(task)))
    await one.start()
    await Promise.all(leases.map((lease) => one.end(lease)))
    await one.pass(0)
    expect(upstream.calls.length).toBeLessThanOrEqual(leases.length)
    expect(upstream.calls.filter(({ orders }) => orders.length === 1)).toEqual([])
  })

  it('is asked again within half a minute, whatever it says', async () => {
    const upstream = new Scripted()
    upstream.revoke = async ({ orders }) =>
      orders.map(({ lease }) => ({ lease, ok: false, error: 'no', retryAfterMs: 86_400_000 }))
    const one = station({ upstream })
    const lease = await one.active(await one.openTask())
    await one.start()
    await one.end(lease)
    await one.pass(1_000)
    upstream.revoke = async ({ orders }) => orders.map(proved)
    await one.pass(32_000)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended' })
  })
})

describe('P17: an upstream that ends nothing', () => {
  const says =
    (more: object) =>
    async ({ orders }: { orders: readonly { lease: `lease_${string}` }[] }) =>
      orders.map(({ lease }): EndOutcome => ({ lease, ok: false, error: 'no', ...more }))

  it('stays closed to mints as long as it is to blame for one lease that waits', async () => {
    const upstream = new Scripted()
    upstream.revoke = says({ blame: 'upstream' })
    const one = station({ upstream })
    const lease = await one.active(await one.openTask())
    await one.start()
    await one.end(lease)
    await one.pass(60_000)
    for (let n = 0; n < 4; n += 1) {
      await one.pass(60_000)
      expect(one.broker.health.notRevocable('upstream')).toContain('fails at present')
    }
  })

  it('is no such upstream where one lease alone cannot be ended', async () => {
    const upstream = new Scripted()
    upstream.revoke = says({})
    const one = station({ upstream })
    const lease = await one.active(await one.openTask())
    await one.start()
    await one.end(lease)
    await one.pass(120_000)
    expect(one.broker.health.notRevocable('upstream')).toBeUndefined()
  })
})

it.each([
  [429, '20', 20_000],
  [503, '20', 20_000],
  [429, undefined, 0],
  [503, undefined, undefined],
  [429, 'soon', 0],
  [429, 'Fri, 15 Jan 2027 12:00:30 GMT', 30_000],
  [429, 'Fri, 15 Jan 2027 11:00:00 GMT', 0],
])('reads Retry-After of a %i that says %s', (status, header, ms) => {
  expect(retryAfterOf({ status, header }, Date.UTC(2027, 0, 15, 12))).toBe(ms)
})
