import { describe, expect, it } from 'vitest'
import type { Lease } from '../../src/model/lease.ts'
import { type Shed, shed } from './fixture.ts'

async function ending(one: Shed, tenant: string, change = {}): Promise<Lease> {
  const task = await one.openTask({ tenant, agent: `of-${tenant}` })
  const lease = await one.active(task, change)
  await one.end(lease)
  return lease
}

async function claim(one: Shed, limit: number): Promise<string[]> {
  const due = await one.store.endings.due('upstream', one.clock.now(), limit)
  return due.map(({ lease }) => lease.tenant)
}

describe('P13: within a lane', () => {
  it('tenants take turns, however much one of them has', async () => {
    const one = shed()
    const task = await one.openTask({ tenant: 'greedy' })
    for (let n = 0; n < 100; n += 1) await one.end(await one.active(task))
    await ending(one, 'small')
    await ending(one, 'zebra')
    expect((await claim(one, 20)).slice(0, 3).toSorted()).toEqual(['greedy', 'small', 'zebra'])
  })

  it('no tenant starves behind many that always have something due', async () => {
    const one = shed()
    for (let n = 0; n < 120; n += 1) await ending(one, `tenant-${String(n).padStart(3, '0')}`)
    const seen = new Set<string>()
    for (let n = 0; n < 4; n += 1) for (const tenant of await claim(one, 50)) seen.add(tenant)
    expect(seen.size).toBe(120)
  })

  it('no tenant waits behind many whose next try is later', async () => {
    const one = shed()
    const now = one.clock.now()
    for (let n = 0; n < 80; n += 1) {
      const { id } = await ending(one, `a-${n}`)
      const nextDue = now + 3_600_000
      await one.store.endings.postponed({ id, error: 'x', nextDue, counts: 'attempt', now })
    }
    await ending(one, 'zebra')
    expect(await claim(one, 10)).toEqual(['zebra'])
  })
})

describe('the ending queue', () => {
  it('gives lanes in order: kill, end, expiry, clean-up', async () => {
    const one = shed()
    const task = await one.openTask()
    const [cleaned, expired, ended, killed] = [
      await one.active(task, { slots: ['a'] }),
      await one.active(task),
      await one.active(task),
      await one.active(task),
    ]
    await one.end(cleaned)
    const now = one.clock.now()
    await one.store.endings.contained({
      id: cleaned.id,
      handle: cleaned.handle,
      containment: 'proved',
      exposedUntil: now,
      proof: undefined,
      nextDue: null,
      now,
    })
    const order = { actor: 'mayfly', now } as const
    await one.store.leases.end({ id: expired.id, cause: 'expired', lane: 'expiry', ...order })
    await one.store.leases.end({ id: ended.id, cause: 'ended', lane: 'end', ...order })
    await one.store.leases.end({ id: killed.id, cause: 'killed', lane: 'kill', ...order })
    const later = now + 400_000
    const due = await one.store.endings.due('upstream', later, 10)
    expect(due.map((one) => [one.lane, one.lease.id])).toEqual([
      ['kill', killed.id],
      ['end', ended.id],
      ['expiry', expired.id],
      ['cleanup', cleaned.id],
    ])
  })

  it('shows age, attempts, next try and error, and can be retried at once', async () => {
    const one = shed()
    const lease = await ending(one, 'support')
    const now = one.clock.now()
    const late = { id: lease.id, error: 'Throttled', nextDue: now + 30_000, now } as const
    await one.store.endings.postponed({ ...late, counts: 'attempt' })
    await one.store.endings.postponed({ ...late, counts: 'wait' })
    const [shown] = await one.store.endings.list({ tenants: null }, { limit: 5, after: undefined })
    expect(shown?.lease).toMatchObject({ attempts: 1, lastError: 'Throttled', dueAt: now + 30_000 })
    expect(await one.store.endings.due('upstream', now, 5)).toEqual([])
    const actor = 'operator:on-call'
    expect(await one.store.endings.retryNow({ tenants: ['billing'] }, actor, now)).toBe(0)
    expect(await one.store.endings.retryNow({ tenants: ['support'] }, actor, now)).toBe(1)
    expect(await one.store.endings.due('upstream', now, 5)).toHaveLength(1)
    expect(await one.store.endings.owed()).toEqual([
      { provider: 'upstream', count: 1, oldest: now },
    ])
  })

  it('tells per provider when its next is due', async () => {
    const one = shed()
    const now = one.clock.now()
    expect(await one.store.endings.nextDue()).toEqual(new Map())
    await ending(one, 'support')
    await ending(one, 'support', { provider: 'other' })
    expect(await one.store.endings.nextDue()).toEqual(
      new Map([
        ['upstream', now],
        ['other', now],
      ]),
    )
  })

  it('keeps a lease that already ended as it is', async () => {
    const one = shed()
    const lease = await ending(one, 'support')
    const now = one.clock.now()
    const { id, handle } = lease
    const order = { id, handle, exposedUntil: now, proof: undefined, nextDue: null, now }
    await one.store.endings.contained({ ...order, containment: 'proved' })
    const ended = await one.lease(id)
    await one.store.endings.contained({ ...order, containment: 'enforced' })
    await one.store.endings.postponed({ id, error: 'x', nextDue: now, counts: 'attempt', now })
    await one.store.leases.unknownOutcome(id, 'y', now)
    expect(await one.lease(id)).toMatchObject({ ...ended, lastError: 'y' })
  })
})

describe('P13: an unreadable row', () => {
  it('is quarantined for an hour and out of the way of the rest', async () => {
    const one = shed()
    const [bad, good] = [await ending(one, 'support'), await ending(one, 'support')]
    await one.behind((sqlite) =>
      sqlite.prepare("update leases set scope_json = 'x' where id = ?").run(bad.id),
    )
    const now = one.clock.now()
    const due = await one.store.endings.due('upstream', now, 10)
    expect(due.map(({ lease }) => lease.id)).toEqual([good.id])
    expect(await one.types(bad.id)).toContain('lease.quarantined')
    expect(await one.store.endings.due('upstream', now, 10)).toHaveLength(1)
    expect(await one.store.endings.runOut('upstream', now + 400_000, 10)).toBe(2)
  })
})
