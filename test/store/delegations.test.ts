import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import type { Delegation } from '../../src/model/delegation.ts'
import type { Task } from '../../src/model/task.ts'
import type { NewDelegation, OpenTaskResult } from '../../src/store/store.ts'
import { chain, decision, newTask, type Shed, shed } from './fixture.ts'

function delegate(one: Shed, task: Task, change: Partial<NewDelegation> = {}, most = 100_000) {
  const now = one.clock.now()
  return one.store.delegations.create(
    {
      id: newId('dlg', { random: randomBytes, clock: one.clock }),
      task: task.id,
      agent: 'executor',
      tenant: 'support',
      purpose: null,
      intent: [],
      createdAt: now,
      expiresAt: now + 60_000,
      deadline: now + 600_000,
      tokenHash: randomBytes(32).toString('hex'),
      ...change,
    },
    { delegationsPerTask: most, decision: decision(now, { action: 'delegate', task: task.id }) },
  )
}

async function delegated(one: Shed, task: Task, change: Partial<NewDelegation> = {}) {
  const created = await delegate(one, task, change)
  if (!created.ok) throw new Error(created.why)
  return created.delegation
}

function open(
  one: Shed,
  { id }: Delegation,
  change: Parameters<typeof newTask>[1] = {},
  tasksPerTree = 100_000,
): Promise<OpenTaskResult> {
  const now = one.clock.now()
  const task = newTask(now, { agent: 'executor', deadline: now + 60_000, ...change })
  return one.store.tasks.open(task, {
    openTasksPerAgent: 100_000,
    evidence: undefined,
    delegation: { id, tasksPerTree },
    decision: decision(now, { action: 'openTask', agent: 'executor' }),
  })
}

async function opened(one: Shed, task: Task): Promise<Task> {
  const result = await open(one, await delegated(one, task))
  if (!result.ok) throw new Error(result.why)
  return result.task
}

const refused = { ok: false, why: 'delegation' }

describe('a delegation', () => {
  it('opens one task below its own, however many ask at once', async () => {
    const one = shed()
    const planner = await one.openTask()
    const delegation = await delegated(one, planner)
    const all = await Promise.all(Array.from({ length: 5 }, () => open(one, delegation)))
    const [first, ...others] = all
    expect(first).toMatchObject({
      ok: true,
      task: { parent: planner.id, depth: 1, chain: [{ agent: 'summariser', task: planner.id }] },
    })
    for (const other of others) expect(other).toEqual(refused)
    const reasons = await one.store.decisions.list({ tenants: null, outcome: 'deny' }, PAGE)
    expect(reasons).toHaveLength(4)
    expect(await one.store.tasks.countChildren(planner.id)).toBe(1)
  })

  it('is used once over a restart too', async () => {
    const one = shed()
    const delegation = await delegated(one, await one.openTask())
    expect((await open(one, delegation)).ok).toBe(true)
    await one.restart()
    expect(await open(one, delegation)).toEqual(refused)
  })

  it('survives a restart unused', async () => {
    const one = shed()
    const delegation = await delegated(one, await one.openTask())
    await one.restart()
    expect((await open(one, delegation)).ok).toBe(true)
  })

  it('P5: opens nothing longer than it says, nothing once it has expired', async () => {
    const one = shed()
    const delegation = await delegated(one, await one.openTask())
    const { deadline, expiresAt } = delegation
    expect(await open(one, delegation, { deadline: deadline + 1 })).toEqual(refused)
    await one.time.advance(expiresAt - one.clock.now())
    expect(await open(one, delegation)).toEqual(refused)
  })

  it('P11: opens nothing for another agent or in another tenant', async () => {
    const one = shed()
    const delegation = await delegated(one, await one.openTask())
    expect(await open(one, delegation, { agent: 'other' })).toEqual(refused)
    expect(await open(one, delegation, { tenant: 'billing' })).toEqual(refused)
    expect((await open(one, delegation)).ok).toBe(true)
  })

  it('P7: dies with its task, also when both come at once', async () => {
    const one = shed()
    const planner = await one.openTask()
    const delegation = await delegated(one, planner)
    const { id } = planner
    const now = one.clock.now()
    const ending = { id, cause: 'ended', outcome: null, actor: 'mayfly', now } as const
    const [, result, again] = await Promise.all([
      one.store.tasks.end(ending),
      open(one, delegation),
      delegate(one, planner),
    ])
    expect(result).toEqual(refused)
    expect(again).toEqual({ ok: false, why: 'task-ended' })
  })

  it('P8: dies with a kill of anybody above it, before that is handed on', async () => {
    const one = shed()
    const root = await one.openTask()
    const middle = await opened(one, root)
    const delegation = await delegated(one, middle)
    const [, result, again] = await Promise.all([
      one.kill({ agent: 'summariser' }),
      open(one, delegation),
      delegate(one, middle),
    ])
    expect(result).toEqual(refused)
    expect(again).toEqual({ ok: false, why: 'task-ended' })
    await one.advanceKills()
    expect((await one.store.tasks.byId(middle.id))?.state).toBe('ended')
  })

  it('leaves evidence unspent where it is refused', async () => {
    const one = shed()
    const delegation = await delegated(one, await one.openTask())
    const now = one.clock.now()
    const evidence = { id: 'corp/jti-1', issuedAt: now, expiresAt: now + 60_000 }
    const task = (agent: string) => newTask(now, { agent, deadline: now + 60_000 })
    const against = {
      openTasksPerAgent: 10,
      evidence,
      delegation: { id: delegation.id, tasksPerTree: 10 },
      decision: decision(now, { action: 'openTask' }),
    }
    expect(await one.store.tasks.open(task('other'), against)).toEqual(refused)
    const next = { ...against, decision: decision(now, { action: 'openTask' }) }
    expect((await one.store.tasks.open(task('executor'), next)).ok).toBe(true)
  })
})

describe('limits of delegating', () => {
  it('count what is used or can still be used', async () => {
    const one = shed()
    const planner = await one.openTask()
    await open(one, await delegated(one, planner))
    await delegated(one, planner)
    expect(await delegate(one, planner, {}, 2)).toEqual({ ok: false, why: 'limit' })
    await one.time.advance(60_000)
    expect((await delegate(one, planner, {}, 2)).ok).toBe(true)
    expect(await delegate(one, planner, {}, 2)).toEqual({ ok: false, why: 'limit' })
  })

  it('count every task of a tree, ended ones too, and no other tree', async () => {
    const one = shed()
    const [root, other] = [await one.openTask(), await one.openTask()]
    const middle = await opened(one, root)
    const { id } = await opened(one, middle)
    const now = one.clock.now()
    await one.store.tasks.end({ id, cause: 'ended', outcome: null, actor: 'mayfly', now })
    const full = { ok: false, why: 'tree-limit' }
    expect(await open(one, await delegated(one, middle), {}, 2)).toEqual(full)
    expect((await open(one, await delegated(one, other), {}, 2)).ok).toBe(true)
    expect((await open(one, await delegated(one, middle), {}, 3)).ok).toBe(true)
  })
})

it('P7: the largest tree there may be ends with its leases in one commit', async () => {
  const one = shed()
  const root = await one.openTask()
  const level = async (tasks: Task[], each: number) =>
    (
      await Promise.all(
        tasks.flatMap((task) => Array.from({ length: each }, () => opened(one, task))),
      )
    ).flat()
  const second = await level([root], 6)
  const third = await level(second, 6)
  const fourth = await level(third, 5)
  const tree = [...second, ...third, ...fourth]
  expect(tree).toHaveLength(222)
  for (const task of fourth) await one.active(task)
  const { seq } = await one.store.audit.head()
  const now = one.clock.now()
  const order = { id: root.id, cause: 'ended', outcome: 'completed', actor: 'mayfly', now } as const
  const began = performance.now()
  await one.store.tasks.end(order)
  const took = performance.now() - began
  for (const { id } of tree) {
    expect(await one.store.tasks.byId(id)).toMatchObject({ state: 'ended', cause: 'parent-ended' })
  }
  const events = (await chain(one.store)).filter((event) => event.seq > seq)
  expect(events.filter(({ type }) => type === 'task.ended')).toHaveLength(223)
  expect(events.filter(({ type }) => type === 'lease.ending')).toHaveLength(180)
  expect(took).toBeLessThan(1_000)
})

const PAGE = { limit: 100, after: undefined }
