import { describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import type { Selector } from '../../src/model/selector.ts'
import { idSource } from '../fixture/ids.ts'
import { decision, newTask, shed } from './fixture.ts'

const blockFor = (expiresAt: number | null = null) => ({
  id: newId('block', idSource),
  expiresAt,
})

describe('P8: a kill', () => {
  it.each([
    ['lease', { lease: 'LEASE' }],
    ['task', { task: 'TASK' }],
    ['agent', { agent: 'summariser' }],
    ['workload', { workload: 'corp/robot' }],
    ['tenant', { tenant: 'support' }],
    ['entitlement', { entitlement: 'tickets-read' }],
    ['provider', { provider: 'upstream' }],
    ['target', { target: 'tickets' }],
    ['issuer', { issuer: 'corp' }],
    ['policy_hash', { policy_hash: 'f00d' }],
    ['several', { agent: 'summariser', provider: 'upstream' }],
    ['all', { all: true }],
  ] as const)('by %s ends what it names and nothing else', async (_kind, template) => {
    const one = shed()
    const task = await one.openTask()
    const lease = await one.active(task)
    const foreign = await one.openTask({
      agent: 'biller',
      tenant: 'billing',
      workload: 'sales/biller',
      issuer: 'sales',
    })
    const now = one.clock.now()
    const other = await one.active(foreign, {
      entitlement: 'invoices-read',
      provider: 'elsewhere',
      target: 'invoices',
      decision: decision(now, { agent: 'biller', tenant: 'billing', policyHash: 'beef' }),
    })
    const text = JSON.stringify(template).replace('LEASE', lease.id).replace('TASK', task.id)
    const selector: Selector = JSON.parse(text)
    const kill = await one.kill(selector)
    const everything = 'all' in selector
    expect(kill.counts.leases).toBe(everything ? 2 : 1)
    await one.advanceKills()
    expect(await one.lease(lease.id)).toMatchObject({
      state: 'ending',
      cause: 'killed',
      lane: 'kill',
      containment: 'pending',
    })
    expect((await one.lease(other.id)).state).toBe(everything ? 'ending' : 'active')
    expect(await one.store.kills.byId(kill.id)).toMatchObject({ done: true })
    const progress = await one.store.kills.progress(kill.id)
    expect(progress.containments.pending).toBe(everything ? 2 : 1)
  })

  it('of tasks as a whole ends the tasks too; of a part of them only its leases', async () => {
    const one = shed()
    const [whole, part] = [await one.openTask(), await one.openTask({ agent: 'other' })]
    await one.kill({ agent: 'summariser' })
    await one.kill({ agent: 'other', entitlement: 'tickets-read' })
    await one.advanceKills()
    const stateOf = async (id: typeof whole.id) => (await one.store.tasks.byId(id))?.state
    expect(await stateOf(whole.id)).toBe('ended')
    expect(await stateOf(part.id)).toBe('open')
  })

  it('of more than it looks ahead reaches each once, whatever ended or was undone meanwhile', async () => {
    const one = shed()
    const task = await one.openTask()
    const leases = await Promise.all(Array.from({ length: 5_300 }, () => one.active(task)))
    const kill = await one.kill({ agent: 'summariser' })
    const { store, clock } = one
    await store.kills.advance(clock.now(), 100)
    const gone = leases.at(4_000)
    if (!gone) throw new Error('nothing to kill')
    await one.behind(() => {})
    await one.store.kills.advance(clock.now(), 100)
    await one.store.leases.end({
      id: gone.id,
      cause: 'ended',
      lane: 'end',
      actor: 'mayfly',
      now: one.clock.now(),
    })
    await one.store.endings.contained({
      id: gone.id,
      handle: gone.handle,
      containment: 'proved',
      exposedUntil: one.clock.now(),
      proof: undefined,
      nextDue: null,
      now: one.clock.now(),
    })
    await one.advanceKills()
    const progress = await one.store.kills.progress(kill.id)
    const counts = Object.values(progress.containments)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(5_299)
    expect(await one.lease(gone.id)).toMatchObject({ state: 'ended', cause: 'ended' })
    expect(await one.store.leases.countActive({})).toBe(0)
    expect(await one.store.tasks.byId(task.id)).toMatchObject({ state: 'ended' })
    expect(await one.store.kills.byId(kill.id)).toMatchObject({ done: true })
  })

  it('of a task ends its whole tree', async () => {
    const one = shed()
    const [root, child, grandchild] = [
      await one.openTask(),
      await one.openTask({ agent: 'executor' }),
      await one.openTask({ agent: 'executor' }),
    ]
    const lease = await one.active(grandchild)
    await one.behind((sqlite) => {
      const adopt = sqlite.prepare('update tasks set parent = ? where id = ?')
      adopt.run(root.id, child.id)
      adopt.run(child.id, grandchild.id)
    })
    await one.kill({ task: root.id })
    await one.advanceKills()
    expect((await one.lease(lease.id)).state).toBe('ending')
    for (const { id } of [root, child, grandchild]) {
      expect((await one.store.tasks.byId(id))?.state).toBe('ended')
    }
  })

  it('narrowed to tenants reaches no further', async () => {
    const one = shed()
    const mine = await one.active(await one.openTask())
    const theirs = await one.active(await one.openTask({ tenant: 'billing' }))
    const block = blockFor()
    const kill = await one.kill({ provider: 'upstream' }, { tenants: ['support'], block })
    expect(kill.counts.leases).toBe(1)
    await one.advanceKills()
    expect((await one.lease(mine.id)).state).toBe('ending')
    expect((await one.lease(theirs.id)).state).toBe('active')
    expect(await one.reserve(await one.openTask())).toMatchObject({ why: 'blocked' })
    expect(await one.reserve(await one.openTask({ tenant: 'billing' }))).toMatchObject({ ok: true })
  })

  it('narrowed to no tenant at all names nothing', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    const kill = await one.kill({ all: true }, { tenants: [], block: blockFor() })
    await one.advanceKills()
    expect(kill.counts).toEqual({ leases: 0, tasks: 0, agents: 0 })
    expect((await one.lease(lease.id)).state).toBe('active')
    expect(await one.reserve(await one.openTask())).toMatchObject({ ok: true })
  })

  it('between reserve and activate: nothing is activated, the lease is ending with its handle', async () => {
    const one = shed()
    const task = await one.openTask()
    for (const selector of [{ agent: 'summariser' }, { entitlement: 'tickets-read' }]) {
      await one.time.advance(1)
      const lease = await one.reserved(await one.openTask())
      await one.kill(selector)
      const { ok, lease: after } = await one.store.leases.activate(
        lease.id,
        one.facts(),
        one.clock.now(),
      )
      expect(ok).toBe(false)
      expect(after).toMatchObject({ state: 'ending', lane: 'kill', handle: { accessor: 'first' } })
    }
    expect(await one.store.leases.countActive({ task: task.id })).toBe(0)
  })

  it('by somebody else’s tenants does not stop a mint in flight', async () => {
    const one = shed()
    const lease = await one.reserved(await one.openTask())
    await one.kill({ all: true }, { tenants: ['billing'] })
    const activated = await one.store.leases.activate(lease.id, one.facts(), one.clock.now())
    expect(activated.ok).toBe(true)
  })

  it('of a lease that begins to renew meanwhile still ends it', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    await one.kill({ lease: lease.id })
    const now = one.clock.now()
    const begun = await one.store.leases.beginRenewal({
      id: lease.id,
      expiresAt: now + 300_000,
      latestPossibleExpiry: now + 340_000,
      decision: decision(now),
      now,
    })
    expect(begun).toMatchObject({ ok: false })
    await one.advanceKills()
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ending', lane: 'kill' })
  })

  it('during a renewal ends the lease; what was renewed is chased, not delivered', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    const now = one.clock.now()
    const begun = await one.store.leases.beginRenewal({
      id: lease.id,
      expiresAt: now + 300_000,
      latestPossibleExpiry: now + 900_000,
      decision: decision(now),
      now,
    })
    expect(begun).toMatchObject({ ok: true, lease: { latestPossibleExpiry: now + 900_000 } })
    await one.kill({ agent: 'summariser' })
    const facts = one.facts({ handle: { accessor: 'second' } })
    const { ok, lease: after } = await one.store.leases.finishRenewal(lease.id, facts, now)
    expect(ok).toBe(false)
    expect(after).toMatchObject({
      state: 'ending',
      lane: 'kill',
      generation: 1,
      handle: { accessor: 'second' },
    })
  })

  it('once committed lets its task reserve nothing more, before its leases are reached', async () => {
    const one = shed()
    const task = await one.openTask()
    await one.kill({ task: task.id })
    expect(await one.reserve(task)).toEqual({ ok: false, why: 'task-ended' })
    await one.advanceKills()
    expect((await one.store.tasks.byId(task.id))?.state).toBe('ended')
  })

  it('without a block does not touch what is reserved after it', async () => {
    const one = shed()
    const [before, task] = [await one.active(await one.openTask()), await one.openTask()]
    await one.kill({ entitlement: 'tickets-read' })
    const after = await one.active(task)
    await one.advanceKills()
    expect((await one.lease(before.id)).state).toBe('ending')
    expect((await one.lease(after.id)).state).toBe('active')
  })

  it('without a block does not end tasks opened after it', async () => {
    const one = shed()
    await one.kill({ agent: 'summariser' })
    await one.time.advance(1)
    const task = await one.openTask()
    const lease = await one.active(task)
    await one.advanceKills()
    expect((await one.lease(lease.id)).state).toBe('active')
  })

  it('hurries what was already ending in a slower lane', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    await one.end(lease)
    const now = one.clock.now()
    const nextDue = now + 30_000
    await one.store.endings.postponed({ id: lease.id, error: 'x', nextDue, counts: 'attempt', now })
    await one.kill({ agent: 'summariser' })
    await one.advanceKills()
    expect(await one.lease(lease.id)).toMatchObject({ lane: 'kill', dueAt: now, cause: 'ended' })
  })

  it('of 1,000 leases reaches all of them in chunks, each once, over restarts', async () => {
    const one = shed()
    const tasks = await Promise.all(Array.from({ length: 10 }, () => one.openTask()))
    const leases = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => one.active(tasks[n % 10] ?? raise())),
    )
    const kill = await one.kill({ agent: 'summariser' })
    expect(kill.counts).toEqual({ leases: 1_000, tasks: 10, agents: 1 })
    expect(await one.store.kills.advance(one.clock.now(), 200)).toEqual({ more: true, moved: 200 })
    expect((await one.store.kills.byId(kill.id))?.done).toBe(false)
    await one.restart()
    await one.advanceKills()
    expect((await one.store.kills.byId(kill.id))?.done).toBe(true)
    expect(await one.store.kills.progress(kill.id)).toMatchObject({ remaining: 1_000 })
    const states = new Set<string>()
    for (const { id } of leases) states.add((await one.lease(id)).state)
    expect([...states]).toEqual(['ending'])
    const events = await one.store.audit.read(0, 100_000)
    expect(events.filter((event) => event.type === 'lease.ending')).toHaveLength(1_000)
    expect(events.filter((event) => event.type === 'task.ended')).toHaveLength(10)
  })

  it('is advanced in the order of the kills, and none waits for a row nobody can read', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    const broken = await one.kill({ agent: 'somebody' })
    await one.kill({ agent: 'summariser' })
    await one.behind((sqlite) =>
      sqlite.prepare('update kills set selector_json = ? where id = ?').run('{"agent', broken.id),
    )
    await one.advanceKills()
    expect((await one.lease(lease.id)).state).toBe('ending')
    const events = await one.store.audit.read(0, 1_000)
    expect(events.at(-1)?.type === 'kill.quarantined' || events.some(isQuarantine)).toBe(true)
  })

  it('that nobody can read lets no mint through that was in flight', async () => {
    const one = shed()
    const lease = await one.reserved(await one.openTask())
    await one.kill({ agent: 'somebody' })
    await one.behind((sqlite) => sqlite.exec("update kills set selector_json = '{'"))
    const activated = await one.store.leases.activate(lease.id, one.facts(), one.clock.now())
    expect(activated).toMatchObject({ ok: false, lease: { state: 'ending' } })
  })
})

describe('P8: a block', () => {
  it('stands against tasks, reservations and renewals until it is lifted', async () => {
    const one = shed()
    const [task, quiet] = [await one.openTask(), await one.openTask({ agent: 'other' })]
    const lease = await one.active(quiet)
    const block = blockFor()
    await one.kill({ tenant: 'support' }, { block, endsTasks: false, tenants: ['support'] })
    const now = one.clock.now()
    const renewal = {
      id: lease.id,
      expiresAt: now + 1,
      latestPossibleExpiry: now + 1,
      decision: decision(now),
      now,
    }
    expect(await one.reserve(task)).toEqual({ ok: false, why: 'blocked', block: block.id })
    expect(await one.store.leases.beginRenewal(renewal)).toMatchObject({ ok: false })
    const against = { openTasksPerAgent: 9, evidence: undefined, decision: decision(now) }
    expect(await one.store.tasks.open(newTask(now), against)).toMatchObject({
      ok: false,
      why: 'blocked',
    })
    const refusals = (await one.store.audit.read(0, 1_000)).filter((e) =>
      ['task.refused', 'credential.refused'].includes(e.type),
    )
    expect(refusals).toHaveLength(2)

    const lift = { id: block.id, actor: 'operator:on-call', now } as const
    expect(await one.store.kills.lift(lift)).toMatchObject({ liftedAt: now })
    expect(await one.store.kills.lift(lift)).toBeUndefined()
    expect(await one.reserve(task)).toMatchObject({ ok: true })
  })

  it('that expired blocks no more, and cannot be lifted', async () => {
    const one = shed()
    const task = await one.openTask()
    const block = blockFor(one.clock.now() + 60_000)
    await one.kill({ entitlement: 'tickets-read' }, { block })
    await one.advanceKills()
    await one.time.advance(59_999)
    expect(await one.reserve(task)).toMatchObject({ why: 'blocked' })
    await one.time.advance(1)
    expect(await one.reserve(task)).toMatchObject({ ok: true })
    const order = { id: block.id, actor: 'operator:on-call', now: one.clock.now() } as const
    expect(await one.store.kills.lift(order)).toBeUndefined()
    expect(await one.store.kills.liveBlocks(one.clock.now())).toEqual([])
  })

  it('survives a restart', async () => {
    const one = shed()
    const task = await one.openTask()
    await one.kill({ entitlement: 'tickets-read' }, { block: blockFor() })
    await one.restart()
    expect(await one.reserve(task)).toMatchObject({ why: 'blocked' })
  })

  it('P3: that nobody can read blocks everything', async () => {
    const one = shed()
    const task = await one.openTask()
    await one.kill({ agent: 'somebody' }, { block: blockFor() })
    await one.behind((sqlite) => sqlite.exec("update blocks set selector_json = '['"))
    expect(await one.reserve(task)).toMatchObject({ ok: false, why: 'blocked' })
  })
})

function isQuarantine(event: { type: string }): boolean {
  return event.type === 'kill.quarantined'
}

function raise(): never {
  throw new Error('no such task')
}
