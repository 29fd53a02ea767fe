import { describe, expect, it } from 'vitest'
import type { Lease } from '../../src/model/lease.ts'
import { type RevokeBatch, UpstreamError } from '../../src/provider.ts'
import { enforced, hangs, proved, Scripted, station } from './fixture.ts'

const refused = () => Promise.reject(new UpstreamError('refused', 'MalformedPolicy'))
const noAnswer = () => Promise.reject(new UpstreamError('unknown', 'no answer'))
const role = { group: 'role-a' }

describe('P6: an end', () => {
  it('is retried until the upstream did it, and never given up', async () => {
    const upstream = new Scripted()
    upstream.revoke = noAnswer
    const one = station({ upstream })
    const lease = await one.active(await one.openTask())
    await one.start()
    await one.end(lease)
    await one.pass(100_000)
    const failing = await one.lease(lease.id)
    expect(failing).toMatchObject({
      state: 'ending',
      containment: 'pending',
      lastError: 'no answer',
    })
    expect(failing.attempts).toBeGreaterThan(5)
    upstream.revoke = async ({ orders }) => orders.map(proved)
    await one.pass(45_000)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', containment: 'proved' })
  })

  it('is not ended by being enforced: only proof or time ends it', async () => {
    const upstream = new Scripted()
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    const one = station({ upstream })
    const lease = await one.active(await one.openTask())
    await one.start()
    await one.end(lease)
    await one.pass(200_000)
    expect(await one.lease(lease.id)).toMatchObject({
      state: 'ending',
      containment: 'enforced',
      exposedUntil: lease.nativeExpiresAt,
    })
    await one.pass(131_000)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', containment: 'expired' })
    expect(upstream.calls).toHaveLength(1)
  })

  it('that is enforced is looked at again, less and less often, until it is proved', async () => {
    const upstream = new Scripted()
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    upstream.prove = async (orders) => orders.map(({ lease }) => ({ lease }))
    const one = station({ upstream })
    const lease = await one.active(await one.openTask())
    await one.start()
    await one.end(lease)
    await one.pass(120_000)
    expect(upstream.proofs.length).toBeGreaterThan(3)
    expect(upstream.proofs.length).toBeLessThan(20)
    upstream.prove = async (orders) =>
      orders.map(({ lease: id }) => ({ lease: id, proof: { method: 'probe', at: 7 } }))
    await one.pass(45_000)
    expect(await one.lease(lease.id)).toMatchObject({
      state: 'ended',
      containment: 'proved',
      proof: { method: 'probe', at: 7 },
    })
  })

  it('of a mint nobody knows the outcome of is only ever enforced, and chased to the last', async () => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const lease = await one.reserved(await one.openTask())
    await one.start()
    await one.store.leases.unknownOutcome(lease.id, 'no answer', one.clock.now())
    await one.pass(339_000)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ending', containment: 'enforced' })
    expect(upstream.calls.length).toBeGreaterThanOrEqual(10)
    await one.pass(3_000)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', containment: 'expired' })
  })

  it('of a late mint is made again by its handle, and then proved', async () => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const lease = await one.reserved(await one.openTask())
    await one.start()
    await one.store.leases.unknownOutcome(lease.id, 'no answer', one.clock.now())
    await one.pass(5_000)
    await one.store.leases.activate(lease.id, one.facts(), one.clock.now())
    await one.pass(1_000)
    expect(upstream.calls.at(-1)?.orders[0]?.handle).toEqual({ accessor: 'first' })
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', containment: 'proved' })
  })

  it('that no upstream can hasten runs out by itself without a call', async () => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const lease = await one.active(await one.openTask(), { revocability: 'expiry' })
    await one.start()
    await one.end(lease)
    await one.pass(300_000)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ending', containment: 'pending' })
    await one.pass(32_000)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', containment: 'expired' })
    expect(upstream.calls).toEqual([])
  })

  it('P5: is not called dead because the clock was once set forward', async () => {
    const upstream = new Scripted()
    upstream.revoke = noAnswer
    const one = station({ upstream })
    one.time.stepWall(7_200_000)
    one.clock.now()
    one.time.stepWall(-7_200_000)
    const native = one.clock.earliest() + 300_000
    const lease = await one.reserved(await one.openTask(), {
      expiresAt: native,
      latestPossibleExpiry: native + 40_000,
    })
    const facts = { expiresAt: native, nativeExpiresAt: native, latestPossibleExpiry: native + 1 }
    await one.store.leases.activate(lease.id, one.facts(facts), one.clock.now())
    await one.start()
    await one.pass(200_000)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ending', containment: 'pending' })
    await one.pass(102_000)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', containment: 'expired' })
  })
})

describe('P13: a batch', () => {
  it('that the upstream refuses is halved until the bad lease is alone; no other waits for it', async () => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const task = await one.openTask()
    const leases: Lease[] = []
    for (let n = 0; n < 16; n += 1) leases.push(await one.active(task, role))
    const poison = leases[11]?.upstreamName
    upstream.revoke = async ({ orders }) => {
      if (orders.some((order) => order.upstreamName === poison)) await refused()
      return orders.map(proved)
    }
    await one.start()
    await one.kill({ agent: 'summariser' })
    await one.pass(2_000)
    const states = await Promise.all(leases.map(async ({ id }) => (await one.lease(id)).state))
    expect(states.filter((state) => state === 'ended')).toHaveLength(15)
    expect(states[11]).toBe('ending')
  })

  it('with a lease that is refused for ever does not keep others from being minted', async () => {
    const upstream = new Scripted()
    upstream.revoke = refused
    const one = station({ upstream })
    const lease = await one.active(await one.openTask())
    await one.start()
    await one.end(lease)
    await one.pass(60_000)
    expect((await one.lease(lease.id)).attempts).toBeGreaterThan(5)
    expect(one.broker.health.notRevocable('upstream')).toBeUndefined()
  })

  it('P17: of an upstream that refuses every lease keeps others from being minted', async () => {
    const upstream = new Scripted()
    upstream.revoke = refused
    const one = station({ upstream })
    const task = await one.openTask()
    await one.start()
    for (let n = 0; n < 5; n += 1) await one.end(await one.active(task))
    await one.pass(5_000)
    expect(one.broker.health.notRevocable('upstream')).toContain('fails at present')
  })

  it('is answered lease by lease', async () => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const task = await one.openTask()
    const [good, bad, silent] = [
      await one.active(task),
      await one.active(task),
      await one.active(task),
    ]
    upstream.revoke = async ({ orders }) =>
      orders.flatMap((order) => {
        if (order.lease === silent.id) return []
        if (order.lease === bad.id)
          return [{ lease: bad.id, ok: false, error: 'Throttled' } as const]
        return [proved(order)]
      })
    await one.kill({ agent: 'summariser' })
    await one.start()
    await one.pass(1_000)
    expect((await one.lease(good.id)).state).toBe('ended')
    expect(await one.lease(bad.id)).toMatchObject({ state: 'ending', lastError: 'Throttled' })
    expect((await one.lease(silent.id)).lastError).toContain('said nothing')
  })

  it('that could not be written down is not asked again without a pause', async () => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const lease = await one.active(await one.openTask())
    await one.start()
    const { contained } = one.store.endings
    Object.assign(one.store.endings, { contained: () => Promise.reject(new Error('disk full')) })
    await one.end(lease)
    await one.pass(10_000)
    expect(upstream.calls.length).toBeLessThan(15)
    Object.assign(one.store.endings, { contained })
    await one.pass(10_000)
    expect((await one.lease(lease.id)).state).toBe('ended')
  })
})

describe('P13: a provider that hangs', () => {
  it('delays no other, and its own ends are tried again after the deadline', async () => {
    const [stuck, quick] = [new Scripted(), new Scripted()]
    stuck.revoke = hangs
    const one = station({ stuck, quick })
    const task = await one.openTask()
    const slow: Lease[] = []
    for (let n = 0; n < 300; n += 1) slow.push(await one.active(task, { provider: 'stuck' }))
    const fast = await one.active(task, { provider: 'quick' })
    await one.start()
    await one.kill({ agent: 'summariser' })
    await one.pass(1_000)
    expect((await one.lease(fast.id)).state).toBe('ended')
    expect((await one.lease(slow[0]?.id ?? fast.id)).state).toBe('ending')
    stuck.revoke = async ({ orders }) => orders.map(proved)
    await one.pass(60_000)
    for (const { id } of slow) expect((await one.lease(id)).state).toBe('ended')
  })

  it('while proving holds its place only until the deadline', async () => {
    const upstream = new Scripted()
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    upstream.prove = hangs
    const one = station({ upstream })
    const task = await one.openTask()
    const lease = await one.active(task, role)
    await one.start()
    await one.end(lease)
    await one.pass(16_000)
    expect(await one.lease(lease.id)).toMatchObject({ containment: 'enforced' })
    const other = await one.active(task, role)
    await one.end(other)
    await one.pass(20_000)
    expect(await one.lease(other.id)).toMatchObject({ containment: 'enforced' })
  })
})

describe('P8: a kill', () => {
  it('overtakes 1,000 expiries of its provider, however slow that is', async () => {
    const upstream = new Scripted()
    upstream.revoke = hangs
    const one = station({ upstream })
    const task = await one.openTask()
    const other = await one.openTask({ agent: 'other' })
    await Promise.all(
      Array.from({ length: 1_000 }, () => one.active(task, { expiresAt: one.clock.now() + 1_000 })),
    )
    const doomed = await one.active(other)
    await one.start()
    await one.pass(3_000)
    const busy = upstream.calls.length
    await one.kill({ agent: 'other' })
    await one.pass(0)
    const after = upstream.names().slice(busy)
    expect(after).toEqual([[doomed.upstreamName]])
  })

  it('is tried before what was due long before it', async () => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const task = await one.openTask()
    const other = await one.openTask({ agent: 'other' })
    for (let n = 0; n < 60; n += 1) await one.end(await one.active(task))
    const doomed = await one.active(other)
    await one.kill({ agent: 'other' })
    await one.advanceKills()
    await one.start()
    expect(upstream.names()[0]).toEqual([doomed.upstreamName])
  })
})

describe('a shared document', () => {
  it('is written one call at a time', async () => {
    const upstream = new Scripted()
    let inside = 0
    let most = 0
    upstream.revoke = async ({ orders }) => {
      inside += 1
      most = Math.max(most, inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside -= 1
      return orders.map(enforced)
    }
    const one = station({ upstream })
    const task = await one.openTask()
    await one.start()
    for (let n = 0; n < 20; n += 1) {
      await one.end(await one.active(task, role))
      await one.pass(0)
    }
    await one.pass(2_000)
    expect(most).toBe(1)
    expect(upstream.calls.length).toBeGreaterThan(1)
  })

  it('P6: carries exactly what must stay refused at every write, also of a row nobody can read', async () => {
    const upstream = new Scripted()
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    const one = station({ upstream })
    const task = await one.openTask()
    const first = await one.active(task, role)
    const elsewhere = await one.active(task, { group: 'role-b' })
    const living = await one.active(task, role)
    await one.start()
    await one.end(first)
    await one.end(elsewhere)
    await one.pass(1_000)
    const second = await one.active(task, role)
    await one.end(second)
    await one.pass(1_000)
    expect(refusedBy(upstream.calls.at(-1))).toEqual(
      [first.upstreamName, second.upstreamName].toSorted(),
    )
    await one.behind((sqlite) =>
      sqlite
        .prepare("update leases set scope_json = '{', handle_json = '[' where id = ?")
        .run(first.id),
    )
    await one.end(living)
    await one.pass(1_000)
    expect(refusedBy(upstream.calls.at(-1))).toEqual(
      [first, second, living].map((lease) => lease.upstreamName).toSorted(),
    )
  })

  it('P6: keeps an entry whose mint landed late in it', async () => {
    const upstream = new Scripted()
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    const one = station({ upstream })
    const task = await one.openTask()
    const late = await one.reserved(task, role)
    await one.store.leases.unknownOutcome(late.id, 'no answer', one.clock.now())
    const other = await one.active(task, role)
    await one.start()
    await one.pass(1_000)
    await one.store.leases.activate(late.id, one.facts(), one.clock.now())
    await one.end(other)
    await one.pass(1_000)
    for (const call of upstream.calls.slice(1)) {
      expect(refusedBy(call)).toContain(late.upstreamName)
    }
  })

  it('lets go of what is known to be dead', async () => {
    const upstream = new Scripted()
    upstream.revoke = async ({ orders }) => orders.map(proved)
    const one = station({ upstream })
    const task = await one.openTask()
    const dead = await one.active(task, role)
    await one.start()
    await one.end(dead)
    await one.pass(400_000)
    const next = await one.active(task, role)
    await one.end(next)
    await one.pass(1_000)
    expect(refusedBy(upstream.calls.at(-1))).toEqual([next.upstreamName])
  })

  it('is not written for the clean-up of a lease that died by itself', async () => {
    const upstream = new Scripted()
    upstream.revoke = noAnswer
    const one = station({ upstream })
    const lease = await one.active(await one.openTask(), role)
    await one.start()
    await one.end(lease)
    await one.pass(335_000)
    const calls = upstream.calls.length
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', containment: 'expired' })
    await one.pass(10_000)
    expect(upstream.calls).toHaveLength(calls)
    expect((await one.lease(lease.id)).dueAt).toBeNull()
  })

  it('P17: keeps half its places for kills; other ends run out by themselves', async () => {
    const upstream = new Scripted()
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    const one = station({ upstream })
    const other = await one.openTask({ agent: 'other' })
    const small = { ...role, groupCapacity: 3 }
    const ended: Lease[] = []
    for (const agent of ['a', 'b', 'c', 'd', 'e']) {
      ended.push(await one.active(await one.openTask({ agent }), small))
    }
    const killed = await one.active(other, small)
    await one.start()
    for (const lease of ended) await one.end(lease)
    await one.pass(1_000)
    const inDocument = new Set(upstream.calls.flatMap(refusedBy))
    expect(inDocument.size).toBe(3)
    await one.kill({ agent: 'other' })
    await one.pass(1_000)
    expect(await one.lease(killed.id)).toMatchObject({ containment: 'enforced' })
    await one.pass(331_000)
    for (const { id } of ended) expect((await one.lease(id)).state).toBe('ended')
  })
})

it('P17: what was issued beyond the places runs out when it ends, and is refused when it is killed', async () => {
  const upstream = new Scripted()
  upstream.revoke = async ({ orders }) => orders.map(enforced)
  const one = station({ upstream })
  const task = await one.openTask({ agent: 'many' })
  const small = { group: 'role', groupCapacity: 4, acceptsExpiry: true }
  const leases: Lease[] = []
  for (let n = 0; n < 6; n += 1) leases.push(await one.active(task, small))
  await one.start()
  for (const lease of leases.slice(0, 5)) await one.end(lease)
  await one.pass(1_000)
  const refused = () => upstream.calls.flatMap(refusedBy)
  expect(new Set(refused())).toEqual(new Set(leases.slice(0, 3).map((one) => one.upstreamName)))
  const [, , , fourth] = leases
  expect(fourth && (await one.lease(fourth.id))).toMatchObject({
    state: 'ending',
    containment: 'pending',
    lastError: expect.stringContaining('runs out by itself'),
  })
  await one.kill({ agent: 'many' })
  await one.pass(1_000)
  expect(new Set(refused())).toEqual(new Set(leases.map((one) => one.upstreamName)))
})

describe('a pool account', () => {
  it('P6: is given back only after its last token died, whatever the clock says', async () => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const task = await one.openTask({ deadline: one.clock.now() + 86_400_000 })
    const lease = await one.active(task, { slots: ['a'] })
    await one.start()
    await one.end(lease)
    await one.pass(1_000)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', slot: 'a' })
    one.time.stepWall(7_200_000)
    one.clock.now()
    one.time.stepWall(-7_200_000)
    await one.pass(300_000)
    expect(upstream.released).toEqual([])
    await one.pass(40_000)
    expect(upstream.released).toEqual([lease.upstreamName])
    expect(await one.reserve(task, { slots: ['a'] })).toMatchObject({ ok: true })
  })
})

it('P13: a row nobody can read is quarantined and the rest is ended', async () => {
  const upstream = new Scripted()
  const one = station({ upstream })
  const task = await one.openTask()
  const [good, bad] = [await one.active(task), await one.active(task)]
  await one.behind((sqlite) =>
    sqlite.prepare("update leases set target_json = '{' where id = ?").run(bad.id),
  )
  await one.kill({ agent: 'summariser' })
  await one.start()
  await one.pass(5_000)
  expect((await one.lease(good.id)).state).toBe('ended')
  expect(await one.types(bad.id)).toContain('lease.quarantined')
  expect(upstream.calls).toHaveLength(1)
  await one.pass(330_000)
  expect(await one.lease(bad.id)).toMatchObject({ state: 'ended', containment: 'expired' })
})

it('an ending of a provider that is not configured waits for it', async () => {
  const one = station({})
  const lease = await one.active(await one.openTask())
  await one.start()
  await one.end(lease)
  await one.pass(10_000)
  expect(await one.lease(lease.id)).toMatchObject({ state: 'ending', attempts: 0 })
  expect((await one.lease(lease.id)).lastError).toContain('is not configured')
})

function refusedBy(batch: RevokeBatch | undefined): string[] {
  const { orders = [], stillRefused = [] } = batch ?? {}
  return [...orders, ...stillRefused].map((order) => order.upstreamName).toSorted()
}
