import { describe, expect, it } from 'vitest'
import type { Task } from '../../src/model/task.ts'
import { Scripted, type Station, station } from './fixture.ts'

const LEASES = 1_000

/** A planner whose work was passed on three times over, with leases at every depth. */
async function tree(one: Station): Promise<{ root: Task; below: Task[] }> {
  const root = await one.openTask({ agent: 'planner' })
  const below: Task[] = []
  for (let n = 0; n < 39; n += 1) below.push(await one.openTask({ agent: `executor-${n}` }))
  await one.behind((sqlite) => {
    const adopt = sqlite.prepare(
      'update tasks set parent = ?, depth = ?, chain_json = ? where id = ?',
    )
    for (const [at, { id }] of below.entries()) {
      const parent = at < 3 ? root : (below[Math.floor(at / 3) - 1] ?? root)
      adopt.run(parent.id, 1, '[]', id)
    }
  })
  await Promise.all(
    Array.from({ length: LEASES }, (_, n) => one.active([root, ...below][n % 40] ?? root)),
  )
  return { root, below }
}

describe('P7, P8: a kill of what was passed on', () => {
  it.each([
    ['its task', ({ id }: Task) => ({ task: id })],
    ['its agent', () => ({ agent: 'planner' })],
  ])('by %s ends 1,000 leases of the whole tree, and nothing beside it', async (_by, select) => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const { root, below } = await tree(one)
    const beside = await one.active(await one.openTask({ agent: 'executor-1' }))
    await one.start()
    const kill = await one.kill(select(root))
    expect(kill.counts).toEqual({ leases: LEASES, tasks: 40, agents: 40 })
    for (let n = 0; n < 40; n += 1) await one.pass(0)
    expect(await one.store.kills.progress(kill.id)).toMatchObject({
      containments: { proved: LEASES },
      remaining: 0,
    })
    for (const { id } of [root, ...below]) {
      expect((await one.store.tasks.byId(id))?.state).toBe('ended')
    }
    expect((await one.lease(beside.id)).state).toBe('active')
    expect(await one.reserve(below[38] ?? root)).toMatchObject({ ok: false, why: 'task-ended' })
  })
})

describe('P13: a kill of one lease', () => {
  it('is not held up by a kill of 1,000 that was ordered before it', async () => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const task = await one.openTask()
    await Promise.all(Array.from({ length: LEASES }, () => one.active(task)))
    const doomed = await one.active(await one.openTask({ agent: 'other', tenant: 'billing' }))
    const big = await one.kill({ agent: 'summariser' })
    await one.kill({ lease: doomed.id })
    const { kills } = one.store
    await kills.advance(one.clock.now(), 100)
    await kills.advance(one.clock.now(), 100)
    expect(await one.lease(doomed.id)).toMatchObject({ state: 'ending', lane: 'kill' })
    expect(await kills.byId(big.id)).toMatchObject({ done: false })
    expect((await kills.progress(big.id)).remaining).toBe(100)
  })

  it('is at its upstream before the kill of 1,000 has reached all it names', async () => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const task = await one.openTask()
    await Promise.all(Array.from({ length: LEASES }, () => one.active(task)))
    const doomed = await one.active(await one.openTask({ agent: 'other', tenant: 'billing' }))
    await one.kill({ agent: 'summariser' })
    await one.kill({ lease: doomed.id })
    const advance = one.store.kills.advance
    let told: number | undefined
    let chunks = 0
    Object.assign(one.store.kills, {
      advance: async (now: number, limit: number) => {
        const moved = await advance(now, limit)
        chunks += 1
        if (upstream.names().flat().includes(doomed.upstreamName)) told ??= chunks
        return moved
      },
    })
    await one.start()
    for (let n = 0; n < 40; n += 1) await one.pass(0)
    expect(told).toBeLessThan(5)
    expect(chunks).toBeGreaterThan(10)
  })
})
