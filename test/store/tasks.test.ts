import { describe, expect, it } from 'vitest'
import type { Task } from '../../src/model/task.ts'
import { decision, newTask, type Shed, shed } from './fixture.ts'

async function dueIds(one: Shed): Promise<string[]> {
  return (await one.store.tasks.due(one.clock.now(), 10)).map(({ id }) => id)
}

async function end(one: Shed, { id }: Task, cause: 'ended' | 'task-deadline' | 'killed' = 'ended') {
  const now = one.clock.now()
  return await one.store.tasks.end({ id, cause, outcome: null, actor: 'mayfly', now })
}

describe('P7: a task', () => {
  it('is due at its deadline, not before', async () => {
    const one = shed()
    const { id } = await one.openTask({ deadline: one.clock.now() + 60_000 })
    await one.time.advance(59_999)
    expect(await dueIds(one)).toEqual([])
    await one.time.advance(1)
    expect(await dueIds(one)).toEqual([id])
  })

  it('with a heartbeat is due after two missed beats, and each beat moves that', async () => {
    const one = shed()
    const { id } = await one.openTask({ heartbeatSeconds: 10 })
    await one.time.advance(19_999)
    expect(await dueIds(one)).toEqual([])
    const beating = await one.store.tasks.heartbeat(id, one.clock.now())
    expect(beating?.heartbeatDueAt).toBe(one.clock.now() + 20_000)
    await one.time.advance(19_999)
    expect(await dueIds(one)).toEqual([])
    await one.time.advance(1)
    expect(await dueIds(one)).toEqual([id])
  })

  it('without a heartbeat is never due for its silence', async () => {
    const one = shed()
    await one.openTask()
    await one.time.advance(3_599_000)
    expect(await dueIds(one)).toEqual([])
  })

  it('gets two fresh intervals after a restart, but never more than its deadline', async () => {
    const one = shed()
    const now = one.clock.now()
    const { id } = await one.openTask({ heartbeatSeconds: 10, deadline: now + 3_600_000 })
    const short = await one.openTask({ heartbeatSeconds: 10, deadline: now + 505_000 })
    await one.time.advance(500_000)
    await one.restart()
    expect(await one.store.tasks.forgiveSilence(one.clock.now())).toBe(2)
    expect(await dueIds(one)).toEqual([])
    await one.time.advance(5_000)
    expect(await dueIds(one)).toContain(short.id)
    await one.time.advance(14_999)
    expect(await dueIds(one)).not.toContain(id)
    await one.time.advance(1)
    expect(await dueIds(one)).toContain(id)
  })

  it('that ends takes its leases with it, reserved ones too, and dies once', async () => {
    const one = shed()
    const task = await one.openTask()
    const [active, reserved] = [await one.active(task), await one.reserved(task)]
    expect(await end(one, task)).toBe(true)
    expect(await end(one, task)).toBe(false)
    for (const { id } of [active, reserved]) {
      expect(await one.lease(id)).toMatchObject({
        state: 'ending',
        cause: 'task-ended',
        lane: 'end',
      })
    }
    expect(await one.store.tasks.heartbeat(task.id, one.clock.now())).toBeUndefined()
    expect(await one.store.tasks.byId(task.id)).toMatchObject({ state: 'ended', cause: 'ended' })
    const events = await one.store.audit.read(0, 100, { task: task.id })
    expect(events.filter(({ type }) => type === 'task.ended')).toHaveLength(1)
    expect(events.at(-1)?.data).toMatchObject({ leases: 2 })
  })

  it('that ends ends everything below it, and nothing beside it', async () => {
    const one = shed()
    const [root, child, grandchild, sibling] = [
      await one.openTask(),
      await one.openTask({ agent: 'executor' }),
      await one.openTask({ agent: 'executor' }),
      await one.openTask(),
    ]
    const lease = await one.active(grandchild)
    await one.behind((sqlite) => {
      const adopt = sqlite.prepare('update tasks set parent = ? where id = ?')
      adopt.run(root.id, child.id)
      adopt.run(child.id, grandchild.id)
    })
    await end(one, root)
    for (const { id } of [child, grandchild]) {
      expect(await one.store.tasks.byId(id)).toMatchObject({
        state: 'ended',
        cause: 'parent-ended',
      })
    }
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ending', cause: 'parent-ended' })
    expect((await one.store.tasks.byId(sibling.id))?.state).toBe('open')
  })

  it('that ends by itself never rides in the lane of kills', async () => {
    const one = shed()
    const [own, killed] = [await one.openTask(), await one.openTask()]
    const [a, b] = [await one.active(own), await one.active(killed)]
    await end(one, own, 'task-deadline')
    await end(one, killed, 'killed')
    expect((await one.lease(a.id)).lane).toBe('end')
    expect((await one.lease(b.id)).lane).toBe('kill')
  })

  it('tells when the next may be due', async () => {
    const one = shed()
    expect(await one.store.tasks.nextDue()).toBeUndefined()
    const now = one.clock.now()
    await one.openTask({ deadline: now + 60_000 })
    expect(await one.store.tasks.nextDue()).toBe(now + 60_000)
    await one.openTask({ heartbeatSeconds: 5 })
    expect(await one.store.tasks.nextDue()).toBe(now + 10_000)
  })
})

describe('opening a task', () => {
  const against = (one: Shed, change = {}) => ({
    openTasksPerAgent: 10,
    evidence: undefined,
    decision: decision(one.clock.now(), { action: 'openTask' }),
    ...change,
  })

  it('stops at the cap of its agent, also when many open at once', async () => {
    const one = shed()
    const open = () =>
      one.store.tasks.open(newTask(one.clock.now()), against(one, { openTasksPerAgent: 3 }))
    const all = await Promise.all(Array.from({ length: 10 }, open))
    expect(all.filter(({ ok }) => ok)).toHaveLength(3)
    expect(all.at(-1)).toEqual({ ok: false, why: 'limit' })
  })

  it('P10: spends evidence that may be used once, until it would have expired anyway', async () => {
    const one = shed()
    const evidence = { id: 'corp/jti-1', expiresAt: one.clock.now() + 60_000 }
    const open = () => one.store.tasks.open(newTask(one.clock.now()), against(one, { evidence }))
    const [first, second] = await Promise.all([open(), open()])
    expect(first).toMatchObject({ ok: true })
    expect(second).toEqual({ ok: false, why: 'evidence-used' })
    await one.restart()
    expect(await open()).toEqual({ ok: false, why: 'evidence-used' })
  })

  it('P11: is found by the hash of its token, and by no other', async () => {
    const one = shed()
    const tokenHash = 'ab'.repeat(32)
    const { id } = await one.openTask({ tokenHash })
    expect((await one.store.tasks.byToken(tokenHash))?.id).toBe(id)
    expect(await one.store.tasks.byToken('cd'.repeat(32))).toBeUndefined()
  })
})
