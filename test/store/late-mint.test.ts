import { describe, expect, it } from 'vitest'
import type { Lease } from '../../src/model/lease.ts'
import { decision, type Shed, shed } from './fixture.ts'

/** What the upstream was seen to do about a lease, as the ending queue writes it down. */
async function contain(one: Shed, lease: Lease, containment: 'enforced' | 'proved') {
  const { id, handle } = lease
  const now = one.clock.now()
  const proof = containment === 'proved' ? { method: 'lookup', at: now } : undefined
  const exposedUntil = containment === 'proved' ? now : lease.exposedUntil
  await one.store.endings.contained({
    id,
    handle,
    containment,
    exposedUntil,
    proof,
    nextDue: null,
    now,
  })
  return await one.lease(id)
}

async function renewing(one: Shed, lease: Lease) {
  const now = one.clock.now()
  const begun = await one.store.leases.beginRenewal({
    id: lease.id,
    expiresAt: now + 600_000,
    latestPossibleExpiry: now + 640_000,
    decision: decision(now),
    now,
  })
  if (!begun.ok) throw new Error(begun.why)
  return begun
}

describe('P1: a mint of unknown outcome', () => {
  it('is chased until nothing of it can be alive', async () => {
    const one = shed()
    const lease = await one.reserved(await one.openTask())
    await one.store.leases.unknownOutcome(lease.id, 'no answer', one.clock.now())
    const chased = await one.lease(lease.id)
    expect(chased).toMatchObject({
      state: 'ending',
      cause: 'unknown-outcome',
      containment: 'pending',
      exposedUntil: lease.latestPossibleExpiry,
      lastError: 'no answer',
    })
    await one.time.advance(lease.latestPossibleExpiry - one.clock.now() - 1)
    expect(await one.store.endings.runOut('upstream', one.clock.now(), 10)).toBe(0)
    await one.time.advance(1)
    expect(await one.store.endings.runOut('upstream', one.clock.now(), 10)).toBe(1)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', containment: 'expired' })
  })

  it('that lands while it is being refused is chased again, by its handle', async () => {
    const one = shed()
    const lease = await one.reserved(await one.openTask())
    await one.store.leases.unknownOutcome(lease.id, 'no answer', one.clock.now())
    const enforced = await contain(one, await one.lease(lease.id), 'enforced')
    expect(enforced).toMatchObject({ state: 'ending', containment: 'enforced' })
    const late = await one.store.leases.activate(lease.id, one.facts(), one.clock.now())
    expect(late).toMatchObject({
      ok: false,
      lease: {
        state: 'ending',
        containment: 'unknown',
        handle: { accessor: 'first' },
        dueAt: one.clock.now(),
        lane: 'end',
      },
    })
    expect(await one.types(lease.id)).toContain('lease.landed')
  })

  it('that lands during an attempt is not contained by that attempt', async () => {
    const one = shed()
    const lease = await one.reserved(await one.openTask())
    await one.store.leases.unknownOutcome(lease.id, 'no answer', one.clock.now())
    const asked = await one.lease(lease.id)
    await one.store.leases.activate(lease.id, one.facts(), one.clock.now())
    const after = await contain(one, asked, 'enforced')
    expect(after).toMatchObject({ containment: 'pending', dueAt: one.clock.now() })
  })

  it.each(['failed', 'ended'] as const)('that lands after it had %s reopens it', async (state) => {
    const one = shed()
    const lease = await one.reserved(await one.openTask())
    if (state === 'failed') await one.store.leases.fail(lease.id, 'denied', one.clock.now())
    else {
      await one.store.leases.unknownOutcome(lease.id, 'no answer', one.clock.now())
      await one.time.advance(lease.latestPossibleExpiry - one.clock.now())
      await one.store.endings.runOut('upstream', one.clock.now(), 10)
    }
    expect((await one.lease(lease.id)).state).toBe(state)
    const late = await one.store.leases.activate(lease.id, one.facts(), one.clock.now())
    expect(late).toMatchObject({
      ok: false,
      lease: {
        state: 'ending',
        cause: 'unknown-outcome',
        containment: 'pending',
        endedAt: null,
        lane: 'end',
        exposedUntil: one.facts().nativeExpiresAt,
      },
    })
    expect(late.lease.endingSince).not.toBeNull()
    const due = await one.store.endings.due('upstream', one.clock.now(), 10)
    expect(due.map((ending) => ending.lease.id)).toEqual([lease.id])
  })
})

describe('P6: a renewal that comes too late', () => {
  it('keeps a lease that ended meanwhile from being proved by what is known of the older one', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    await renewing(one, lease)
    await one.end(lease)
    const asked = await one.lease(lease.id)
    const contained = await contain(one, asked, 'proved')
    expect(contained).toMatchObject({ state: 'ending', containment: 'enforced' })
    expect(contained.dueAt).not.toBeNull()
    const facts = one.facts({ handle: { accessor: 'second' } })
    const late = await one.store.leases.finishRenewal(lease.id, facts, one.clock.now())
    expect(late).toMatchObject({
      ok: false,
      lease: { state: 'ending', containment: 'unknown', handle: { accessor: 'second' } },
    })
    expect(await contain(one, late.lease, 'proved')).toMatchObject({
      state: 'ended',
      containment: 'proved',
    })
  })

  it('that surely failed lets the end be proved', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    const { before } = await renewing(one, lease)
    await one.end(lease)
    await one.store.leases.failRenewal(lease.id, { error: 'denied', outcome: 'refused', before })
    expect(await contain(one, await one.lease(lease.id), 'proved')).toMatchObject({
      state: 'ended',
    })
  })

  it('of a pool account is not cleaned up as if it were dead', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask(), { slots: ['a'] })
    await one.end(lease)
    expect(await contain(one, await one.lease(lease.id), 'proved')).toMatchObject({
      state: 'ended',
      lane: 'cleanup',
    })
    const facts = one.facts({ handle: { accessor: 'second' } })
    const late = await one.store.leases.finishRenewal(lease.id, facts, one.clock.now())
    expect(late.lease).toMatchObject({ state: 'ending', lane: 'end', slot: 'a' })
  })

  it('P5: does not lengthen a lease that lived on to its old expiry', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    const { before } = await renewing(one, lease)
    const failure = { error: 'no answer', outcome: 'unknown', before } as const
    await one.store.leases.failRenewal(lease.id, failure)
    const until = one.clock.now() + 600_000
    const facts = one.facts({
      expiresAt: until,
      nativeExpiresAt: until,
      latestPossibleExpiry: until + 30_000,
      handle: { accessor: 'second' },
    })
    const late = await one.store.leases.activate(lease.id, facts, one.clock.now())
    expect(late).toMatchObject({
      ok: false,
      lease: {
        state: 'active',
        expiresAt: lease.expiresAt,
        nativeExpiresAt: until,
        handle: { accessor: 'second' },
        generation: 1,
      },
    })
    expect(late.lease.exposedUntil).toBeGreaterThanOrEqual(until)
    expect(late.lease.latestPossibleExpiry).toBeGreaterThanOrEqual(until + 30_000)
  })
})

describe('a renewal', () => {
  it('commits the later expiry before the upstream is asked', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    const { lease: begun } = await renewing(one, lease)
    await one.restart()
    expect(await one.lease(lease.id)).toMatchObject({
      state: 'active',
      latestPossibleExpiry: begun.latestPossibleExpiry,
      exposedUntil: begun.latestPossibleExpiry,
      expiresAt: lease.expiresAt,
    })
  })

  it('runs one at a time', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    await renewing(one, lease)
    await expect(renewing(one, lease)).rejects.toThrow('in-flight')
  })

  it('goes one generation on when it succeeds', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    await renewing(one, lease)
    const facts = one.facts({ handle: { accessor: 'second' } })
    const done = await one.store.leases.finishRenewal(lease.id, facts, one.clock.now())
    expect(done).toMatchObject({ ok: true, lease: { generation: 2, state: 'active' } })
    await renewing(one, lease)
  })

  it('that was surely refused takes its later expiry back; an unknown one does not', async () => {
    const one = shed()
    const task = await one.openTask()
    const [refused, unknown] = [await one.active(task), await one.active(task)]
    for (const lease of [refused, unknown]) await renewing(one, lease)
    const denied = { error: 'denied', outcome: 'refused' } as const
    await one.store.leases.failRenewal(refused.id, { ...denied, before: refused })
    await one.store.leases.failRenewal(unknown.id, {
      error: 'cut',
      outcome: 'unknown',
      before: unknown,
    })
    expect((await one.lease(refused.id)).exposedUntil).toBe(refused.nativeExpiresAt)
    const exposure = await one.lease(unknown.id)
    expect(exposure.exposedUntil).toBe(one.clock.now() + 640_000)
    // What an earlier renewal may have prolonged is not taken back with a later one.
    const { before } = await renewing(one, unknown)
    await one.store.leases.failRenewal(unknown.id, { ...denied, before })
    expect(await one.lease(unknown.id)).toMatchObject({
      exposedUntil: exposure.exposedUntil,
      latestPossibleExpiry: exposure.latestPossibleExpiry,
    })
  })

  it('of a lease past its expiry is refused', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    await one.time.advance(300_000)
    await expect(renewing(one, lease)).rejects.toThrow('not-active')
  })

  it('that was lost with the process leaves a working lease with the later exposure', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    const { lease: begun } = await renewing(one, lease)
    await one.restart()
    await one.store.leases.settleAfterRestart(one.clock.now(), 100)
    expect(await one.lease(lease.id)).toMatchObject({
      state: 'active',
      exposedUntil: begun.latestPossibleExpiry,
    })
    await renewing(one, lease)
  })
})

describe('P1: after a restart', () => {
  it('every reservation has an unknown outcome and is chased, chunk by chunk', async () => {
    const one = shed()
    const task = await one.openTask()
    const lost = await Promise.all(Array.from({ length: 25 }, () => one.reserved(task)))
    const [active] = [await one.active(task)]
    await one.restart()
    const chunks: number[] = []
    for (let n = 10; n === 10; ) {
      n = await one.store.leases.settleAfterRestart(one.clock.now(), 10)
      chunks.push(n)
    }
    expect(chunks).toEqual([10, 10, 5])
    for (const { id } of lost) {
      expect(await one.lease(id)).toMatchObject({ state: 'ending', cause: 'unknown-outcome' })
    }
    expect((await one.lease(active?.id ?? 'lease_')).state).toBe('active')
  })
})
