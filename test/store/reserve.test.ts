import { describe, expect, it } from 'vitest'
import type { NewTask } from '../../src/store/store.ts'
import { decision, LIMITS, reservation, type Shed, shed } from './fixture.ts'

const idempotency = { key: 'retry-1', requestHash: 'body-1' }

describe('P1: a reservation', () => {
  it('is durable, named and bounded before anyone may mint', async () => {
    const one = shed()
    const task = await one.openTask()
    const lease = await one.reserved(task)
    await one.restart()
    const kept = await one.lease(lease.id)
    expect(kept).toMatchObject({
      state: 'reserved',
      containment: null,
      upstreamName: `mf-${lease.id.slice('lease_'.length)}`,
      latestPossibleExpiry: lease.latestPossibleExpiry,
      exposedUntil: lease.latestPossibleExpiry,
      handle: null,
    })
    expect(await one.store.audit.read(0, 100, { lease: lease.id })).toMatchObject([
      // P12: the decision is told by what it led to.
      { type: 'lease.reserved', data: { decision: lease.decision, policies: ['p0'], rails: [] } },
    ])
  })

  it('is refused to a task that ended or is past its deadline', async () => {
    const one = shed()
    const ended = await one.openTask()
    const now = one.clock.now()
    const word = { cause: 'ended', outcome: 'completed', actor: 'mayfly', now } as const
    await one.store.tasks.end({ id: ended.id, ...word })
    expect(await one.reserve(ended)).toEqual({ ok: false, why: 'task-ended' })
    const late = await one.openTask({ deadline: now + 1_000 })
    await one.time.advance(1_000)
    expect(await one.reserve(late)).toEqual({ ok: false, why: 'task-ended' })
  })

  it('is refused over a cap of task or agent, and the refusal is recorded', async () => {
    const one = shed()
    const [task, sibling] = [await one.openTask(), await one.openTask()]
    await one.reserved(task)
    const limits = { ...LIMITS, activeLeasesPerTask: 1, activeLeasesPerAgent: 10 }
    const now = one.clock.now()
    const refused = decision(now)
    const over = await one.reserve(task, { limits, decision: refused })
    expect(over).toEqual({ ok: false, why: 'task-limit' })
    expect(await one.store.decisions.byId(refused.id)).toMatchObject({ outcome: 'deny' })
    await one.reserved(sibling)
    const tight = { ...LIMITS, activeLeasesPerTask: 10, activeLeasesPerAgent: 2 }
    expect(await one.reserve(sibling, { limits: tight })).toMatchObject({ why: 'agent-limit' })
  })

  it('keeps to the caps also when many ask at once', async () => {
    const one = shed()
    const task = await one.openTask()
    const limits = { ...LIMITS, activeLeasesPerTask: 5, activeLeasesPerAgent: 10 }
    const all = await Promise.all(Array.from({ length: 40 }, () => one.reserve(task, { limits })))
    expect(all.filter((result) => result.ok)).toHaveLength(5)
  })

  it('an agent has its places back, each once, by every way a lease leaves them', async () => {
    const one = shed()
    const task = await one.openTask()
    const limits = { ...LIMITS, activeLeasesPerTask: 100, activeLeasesPerAgent: 3 }
    const now = one.clock.now()
    const [failed, ended, lost] = [
      await one.reserved(task, { limits }),
      await one.active(task, { limits }),
      await one.reserved(task, { limits }),
    ]
    const full = { ok: false, why: 'agent-limit' }
    expect(await one.reserve(task, { limits })).toEqual(full)
    const unwritable = decision(now, { request: { never: 1n } })
    const roomy = { ...limits, activeLeasesPerAgent: 10 }
    await expect(one.reserve(task, { limits: roomy, decision: unwritable })).rejects.toThrow()
    expect(await one.reserve(task, { limits })).toEqual(full)
    await one.store.leases.fail(failed.id, 'x', now)
    await one.store.leases.fail(failed.id, 'x', now)
    await one.end(ended)
    await one.end(ended)
    await one.store.leases.unknownOutcome(lost.id, 'x', now)
    const tries = Array.from({ length: 5 }, () => one.reserve(task, { limits }))
    expect((await Promise.all(tries)).filter((result) => result.ok)).toHaveLength(3)
  })
})

describe('P9: one Idempotency-Key', () => {
  it('while in flight is told so, also at the cap', async () => {
    const one = shed()
    const task = await one.openTask()
    const limits = { ...LIMITS, activeLeasesPerTask: 1, activeLeasesPerAgent: 1 }
    await one.reserved(task, { idempotency })
    expect(await one.reserve(task, { idempotency, limits })).toEqual({
      ok: false,
      why: 'in-flight',
    })
  })

  it('with another body is told so, in flight and after', async () => {
    const one = shed()
    const task = await one.openTask()
    const other = { ...idempotency, requestHash: 'body-2' }
    const lease = await one.reserved(task, { idempotency })
    const otherBody = { ok: false, why: 'other-body' }
    expect(await one.reserve(task, { idempotency: other })).toEqual(otherBody)
    await one.store.leases.activate(lease.id, one.facts(), one.clock.now())
    expect(await one.reserve(task, { idempotency: other })).toEqual(otherBody)
    await one.end(lease)
    expect(await one.reserve(task, { idempotency: other })).toEqual(otherBody)
  })

  it('after its end replaces the first lease in the same transaction, also at the cap', async () => {
    const one = shed()
    const task = await one.openTask()
    const limits = { ...LIMITS, activeLeasesPerTask: 1, activeLeasesPerAgent: 1 }
    const first = await one.active(task, { idempotency })
    const again = await one.reserve(task, { idempotency, limits })
    expect(again).toMatchObject({ ok: true, replaced: first.id })
    expect(await one.lease(first.id)).toMatchObject({ state: 'ending', cause: 'replaced' })
    const events = (await one.store.audit.read(0, 1_000)).map(({ type, lease }) => [type, lease])
    const replacing = again.ok ? again.lease.id : ''
    expect(events.slice(-2)).toEqual([
      ['lease.ending', first.id],
      ['lease.reserved', replacing],
    ])
  })

  it('replaces nothing when the new reservation is refused', async () => {
    const one = shed()
    const task = await one.openTask()
    const pool = { slots: ['only'], idempotency }
    const first = await one.active(task, pool)
    expect(await one.reserve(task, pool)).toMatchObject({
      why: 'no-slot',
      retryAt: expect.any(Number),
    })
    expect((await one.lease(first.id)).state).toBe('active')
  })

  it('has at most one live lease however many ask at once', async () => {
    const one = shed()
    const task = await one.openTask()
    const all = await Promise.all(
      Array.from({ length: 30 }, () => one.reserve(task, { idempotency })),
    )
    expect(all.filter((result) => result.ok)).toHaveLength(1)
    expect(all.filter((result) => !result.ok && result.why === 'in-flight')).toHaveLength(29)
  })

  it('has at most one live lease also when requests arrive with the same or an older time', async () => {
    const one = shed()
    const task = await one.openTask()
    const now = one.clock.now()
    for (const at of [now, now, now - 5, now, now - 9, now]) {
      const lease = await one.reserved(task, { idempotency, now: at })
      await one.store.leases.activate(lease.id, one.facts(), now)
      expect(await one.store.leases.countActive({ task: task.id })).toBe(1)
      expect((await one.lease(lease.id)).state).toBe('active')
    }
  })

  it('belongs to one task: another may use the same', async () => {
    const one = shed()
    await one.reserved(await one.openTask(), { idempotency })
    expect(await one.reserve(await one.openTask(), { idempotency })).toMatchObject({ ok: true })
  })
})

describe('a pool slot', () => {
  const slots = ['a', 'b', 'c']

  it('is held by one live lease at a time, however many ask at once', async () => {
    const one = shed()
    const task = await one.openTask()
    const all = await Promise.all(Array.from({ length: 10 }, () => one.reserve(task, { slots })))
    const held = all.flatMap((result) => (result.ok ? [result.lease.slot] : []))
    expect(held.toSorted()).toEqual(slots)
    expect(all.filter((result) => !result.ok).map((r) => !r.ok && r.why)).toEqual(
      Array.from({ length: 7 }, () => 'no-slot'),
    )
  })

  it('P6: is not lent through another provider while a lease of the one it was moved from holds it', async () => {
    const one = shed()
    const task = await one.openTask()
    const lease = await one.active(task, { slots: ['a'] })
    await one.end(lease)
    // When this one is released, its account is switched on: a second lease's would be, too.
    const moved = { provider: 'another', slots: ['a'] }
    expect(await one.reserve(task, moved)).toMatchObject({ ok: false, why: 'no-slot' })
    expect(await one.reserve(task, { ...moved, slots: ['a', 'b'] })).toMatchObject({
      lease: { slot: 'b' },
    })
  })

  it('is free again when the mint surely failed, and only then at once', async () => {
    const one = shed()
    const task = await one.openTask()
    const lease = await one.reserved(task, { slots: ['a'] })
    await one.store.leases.fail(lease.id, 'AccessDenied', one.clock.now())
    const next = await one.reserved(task, { slots: ['a'] })
    await one.store.leases.unknownOutcome(next.id, 'cut', one.clock.now())
    expect(await one.reserve(task, { slots: ['a'] })).toMatchObject({ why: 'no-slot' })
  })

  it('of a proved end is kept until the last token died, then cleaned, then free', async () => {
    const one = shed()
    const task = await one.openTask()
    const lease = await one.active(task, { slots: ['a'] })
    await one.end(lease)
    const now = one.clock.now()
    const { id, handle } = lease
    const proof = { method: 'lookup', at: now }
    const proved = { id, handle, containment: 'proved', exposedUntil: now, proof } as const
    await one.store.endings.contained({ ...proved, nextDue: null, now })
    const after = await one.lease(id)
    expect(after).toMatchObject({
      state: 'ended',
      containment: 'proved',
      lane: 'cleanup',
      dueAt: after.latestPossibleExpiry,
      slot: 'a',
    })
    expect(await one.reserve(task, { slots: ['a'] })).toMatchObject({ why: 'no-slot' })
    await one.store.endings.released(id, now)
    expect(await one.reserve(task, { slots: ['a'] })).toMatchObject({ ok: true })
  })
})

describe('P17: deny capacity', () => {
  const group = { group: 'role-a', groupCapacity: 3 }

  it('that is spent lets nothing be reserved, also when the ends are proved but not yet dead', async () => {
    const one = shed()
    const task = await one.openTask()
    for (let n = 0; n < 3; n += 1) {
      const lease = await one.active(await one.openTask({ agent: `agent-${n}` }), group)
      await one.end(lease)
      const now = one.clock.now()
      const { id, handle, nativeExpiresAt } = lease
      const exposedUntil = nativeExpiresAt ?? 0
      const enforced = { id, handle, exposedUntil, proof: undefined, nextDue: null, now }
      const containment = n === 0 ? ('enforced' as const) : ('proved' as const)
      await one.store.endings.contained({ ...enforced, containment })
    }
    expect(await one.reserve(task, group)).toEqual({ ok: false, why: 'capacity' })
    expect(await one.reserve(task, { ...group, group: 'role-b' })).toMatchObject({ ok: true })
    await one.time.advance(400_000)
    expect(await one.reserve(task, group)).toMatchObject({ ok: true })
  })
})

describe('P17: an entitlement that accepts that its leases may only run out', () => {
  const group = { group: 'role-a', groupCapacity: 4 }
  const beyond = { ...group, acceptsExpiry: true }

  it('gets leases beyond the places, which take none of them before they are killed', async () => {
    const one = shed()
    const task = await one.openTask({ agent: 'many' })
    const got = []
    for (let n = 0; n < 6; n += 1) got.push(await one.active(task, beyond))
    expect(await one.reserve(task, group)).toEqual({ ok: false, why: 'agent-share' })
    for (const lease of got) await one.end(lease)
    // Three of four places are held by it: the rest is still for others.
    const other = await one.openTask({ agent: 'other' })
    expect(await one.reserve(other, group)).toMatchObject({ ok: true })
    const now = one.clock.now()
    for (const { id, handle } of got) {
      const facts = { id, handle, exposedUntil: now, proof: undefined, nextDue: null, now }
      await one.store.endings.contained({ ...facts, containment: 'enforced' })
    }
    const third = await one.openTask({ agent: 'third' })
    expect(await one.reserve(third, group)).toEqual({ ok: false, why: 'capacity' })
    expect(await one.reserve(third, beyond)).toMatchObject({ ok: true })
  })
})

describe('P13: of a group’s deny capacity', () => {
  const group = { group: 'role-a', groupCapacity: 16 }

  /** Issues and ends until refused; what it got, and why it was refused. */
  async function loop(one: Shed, who: Partial<NewTask>, change: object = {}) {
    const task = await one.openTask(who)
    for (let got = 0; ; got += 1) {
      const result = await one.reserve(task, { ...group, ...change })
      if (!result.ok) return { got, why: result.why }
      await one.store.leases.activate(result.lease.id, one.facts(), one.clock.now())
      await one.end(result.lease)
    }
  }

  it('an agent that issues and ends in a loop leaves room for every other', async () => {
    const one = shed()
    expect(await loop(one, { agent: 'greedy' })).toEqual({ got: 12, why: 'agent-share' })
    expect(await loop(one, { agent: 'second' })).toEqual({ got: 3, why: 'agent-share' })
    expect(await loop(one, { agent: 'third' })).toEqual({ got: 1, why: 'capacity' })
  })

  it('counts what the agent has live, so that ending all at once takes no more either', async () => {
    const one = shed()
    const task = await one.openTask({ agent: 'greedy' })
    const leases = []
    for (let n = 0; n < 12; n += 1) leases.push(await one.active(task, group))
    const decided = decision(one.clock.now(), { agent: 'greedy' })
    const over = await one.reserve(task, { ...group, decision: decided })
    expect(over).toEqual({ ok: false, why: 'agent-share' })
    expect(await one.store.decisions.byId(decided.id)).toMatchObject({
      outcome: 'deny',
      rails: ['agent-share'],
    })
    for (const lease of leases) await one.end(lease)
    expect(await one.reserve(await one.openTask({ agent: 'other' }), group)).toMatchObject({
      ok: true,
    })
  })

  it('keeps to the share also when many ask at once, and with replaced leases', async () => {
    const one = shed()
    const task = await one.openTask({ agent: 'greedy' })
    const first = await one.active(task, { ...group, idempotency })
    const again = Array.from({ length: 40 }, (_, n) =>
      one.reserve(task, { ...group, ...(n === 0 ? { idempotency } : {}) }),
    )
    expect((await Promise.all(again)).filter(({ ok }) => ok)).toHaveLength(11)
    expect(await one.lease(first.id)).toMatchObject({ state: 'ending', cause: 'replaced' })
  })

  it('a place is free again once the ended lease has died, also after a restart', async () => {
    const one = shed()
    await loop(one, { agent: 'greedy' })
    await one.restart()
    const task = await one.openTask({ agent: 'greedy' })
    expect(await one.reserve(task, group)).toMatchObject({ why: 'agent-share' })
    await one.time.advance(331_000)
    expect(await one.reserve(task, group)).toMatchObject({ ok: true })
  })

  it('where tenants share it a tenant leaves room for the others, however many agents it has', async () => {
    const one = shed()
    const shared = { groupShared: true }
    const support = (agent: string) => loop(one, { agent, tenant: 'support' }, shared)
    expect(await support('a')).toEqual({ got: 9, why: 'agent-share' })
    expect(await support('b')).toEqual({ got: 2, why: 'agent-share' })
    expect(await support('c')).toEqual({ got: 1, why: 'tenant-share' })
    expect(await support('d')).toEqual({ got: 0, why: 'tenant-share' })
    const billing = await loop(one, { agent: 'e', tenant: 'billing' }, shared)
    expect(billing).toEqual({ got: 2, why: 'agent-share' })
  })

  it('one group takes nothing of another', async () => {
    const one = shed()
    await loop(one, { agent: 'greedy' })
    const other = { group: 'role-b' }
    expect(await loop(one, { agent: 'greedy' }, other)).toEqual({ got: 12, why: 'agent-share' })
  })
})

it('a task remembers what its leases touch', async () => {
  const one = shed()
  const task = await one.openTask()
  const now = one.clock.now()
  const touches = { zones: ['internal'], datasets: ['pii'], impact: ['bulk-read'] } as const
  await one.store.leases.reserve(reservation(task, now, { touches }))
  const more = { zones: ['internal', 'external'], datasets: [], impact: [] }
  await one.store.leases.reserve(reservation(task, now, { touches: more }))
  expect((await one.store.tasks.byId(task.id))?.touched).toEqual({
    zones: ['internal', 'external'],
    datasets: ['pii'],
    impact: ['bulk-read'],
  })
})
