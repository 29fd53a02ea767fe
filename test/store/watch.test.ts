import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { decision, shed } from './fixture.ts'

describe('what is kept in mind between requests', () => {
  it('P7: a task that was shown and then ended, by whatever way, is not shown as open again', async () => {
    const one = shed()
    const now = one.clock.now()
    const tokenHash = randomBytes(32).toString('hex')
    const task = await one.openTask({ tokenHash, heartbeatSeconds: 10 })
    expect(await one.store.tasks.byToken(tokenHash, task.id)).toEqual(task)
    expect(await one.store.tasks.byToken(tokenHash, task.id)).toEqual(task)

    await one.store.tasks.heartbeat(task.id, now + 5_000)
    expect(await one.store.tasks.byToken(tokenHash, task.id)).toMatchObject({
      lastHeartbeatAt: now + 5_000,
    })
    await one.reserved(task, { touches: { zones: ['internal'], datasets: [], impact: [] } })
    const touched = { zones: ['internal'], datasets: [], impact: [] }
    expect(await one.store.tasks.byToken(tokenHash, task.id)).toMatchObject({ touched })
    await one.kill({ agent: task.agent })
    await one.advanceKills()
    expect(await one.store.tasks.byToken(tokenHash, task.id)).toMatchObject({ state: 'ended' })
    expect(await one.store.tasks.byToken(tokenHash)).toBeUndefined()
    const other = await one.openTask()
    expect(await one.store.tasks.byToken(tokenHash, other.id)).toBeUndefined()
  })

  it('P8: a block stands from its commit to its lifting or expiry', async () => {
    const one = shed()
    const task = await one.openTask()
    await one.reserved(task)
    const now = one.clock.now()
    const block = { id: 'block_22222222222222222222', expiresAt: now + 60_000 } as const
    await one.kill({ entitlement: 'tickets-read' }, { block, endsTasks: false })
    expect(await one.reserve(task)).toMatchObject({ why: 'blocked', block: block.id })
    await one.store.kills.lift({ id: block.id, actor: 'operator:on-call', now })
    await one.reserved(task)

    const short = { id: 'block_33333333333333333333', expiresAt: now + 60_000 } as const
    await one.kill({ entitlement: 'tickets-read' }, { block: short, endsTasks: false })
    expect(await one.reserve(task)).toMatchObject({ why: 'blocked', block: short.id })
    await one.time.advance(60_001)
    await one.reserved(task)
  })

  it('P8: of what was rolled back nothing is remembered, of what was not everything', async () => {
    const one = shed()
    const task = await one.openTask()
    const now = one.clock.now()
    const unwritable = decision(now, { request: { never: 1n } })
    const block = { id: 'block_44444444444444444444', expiresAt: null } as const
    const [killed, refused, failed] = await Promise.allSettled([
      one.kill({ entitlement: 'tickets-read' }, { block, endsTasks: false }),
      one.reserve(task),
      one.reserve(await one.openTask(), { entitlement: 'other', decision: unwritable }),
    ])
    expect(killed.status).toBe('fulfilled')
    expect(failed.status).toBe('rejected')
    const blocked = { ok: false, why: 'blocked', block: block.id }
    // Whichever came first in the group, the second request sees the block.
    if (refused.status === 'fulfilled' && !refused.value.ok) expect(refused.value).toEqual(blocked)
    expect(await one.reserve(task)).toEqual(blocked)
    await one.restart()
    expect(await one.reserve(task)).toEqual(blocked)
  })
})
