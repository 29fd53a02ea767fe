import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ChainVerifier, parseAnchor } from '../../src/audit/verify.ts'
import { backoffMs } from '../../src/lifecycle/backoff.ts'
import { chain } from '../store/fixture.ts'
import { hangs, proved, Scripted, station } from './fixture.ts'

/** How late anything may be noticed. */
const SWEEP_MS = 1_000

describe('P7: by itself', () => {
  it('an expiry is noticed within one sweep', async () => {
    const one = station({ upstream: new Scripted() })
    const task = await one.openTask()
    await one.start()
    const lease = await one.active(task, { expiresAt: one.clock.now() + 10_000 })
    await one.pass(9_999)
    expect((await one.lease(lease.id)).state).toBe('active')
    await one.pass(1 + SWEEP_MS)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', cause: 'expired' })
  })

  it('a deadline ends the task and its leases within one sweep', async () => {
    const one = station({ upstream: new Scripted() })
    await one.start()
    const task = await one.openTask({ deadline: one.clock.now() + 5_000 })
    const lease = await one.active(task)
    await one.pass(4_999)
    expect((await one.lease(lease.id)).state).toBe('active')
    await one.pass(1 + SWEEP_MS)
    expect((await one.store.tasks.byId(task.id))?.cause).toBe('task-deadline')
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', cause: 'task-deadline' })
  })

  it('two missed beats end the task and its leases within one sweep', async () => {
    const one = station({ upstream: new Scripted() })
    await one.start()
    const task = await one.openTask({ heartbeatSeconds: 10 })
    const lease = await one.active(task)
    await one.pass(15_000)
    await one.store.tasks.heartbeat(task.id, one.clock.now())
    await one.pass(19_999)
    expect((await one.lease(lease.id)).state).toBe('active')
    await one.pass(1 + SWEEP_MS)
    expect((await one.store.tasks.byId(task.id))?.cause).toBe('heartbeat-lost')
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', cause: 'heartbeat-lost' })
  })

  it('a thousand tasks that fall silent at once all end', async () => {
    const one = station({ upstream: new Scripted() })
    const tasks = await Promise.all(
      Array.from({ length: 1_000 }, () => one.openTask({ heartbeatSeconds: 5 })),
    )
    await one.start()
    await one.pass(12_000)
    const page = { limit: 2_000, after: undefined }
    expect(await one.store.tasks.list({ tenants: null, state: 'ended' }, page)).toHaveLength(
      tasks.length,
    )
  })

  it('a start settles what was under way, and forgives silence', async () => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const task = await one.openTask({ heartbeatSeconds: 10 })
    const lost = await one.reserved(task)
    await one.time.advance(3_000_000)
    await one.start()
    await one.pass(5_000)
    expect((await one.store.tasks.byId(task.id))?.state).toBe('open')
    expect(await one.lease(lost.id)).toMatchObject({ cause: 'unknown-outcome' })
    await one.pass(17_000)
    expect((await one.store.tasks.byId(task.id))?.cause).toBe('heartbeat-lost')
  })
})

describe('P8: a kill', () => {
  it('of 1,000 leases is at the upstream without waiting for a sweep', async () => {
    const upstream = new Scripted()
    const one = station({ upstream })
    const task = await one.openTask()
    await Promise.all(Array.from({ length: 1_000 }, () => one.active(task)))
    await one.start()
    const kill = await one.kill({ agent: 'summariser' })
    for (let n = 0; n < 30; n += 1) await one.pass(0)
    expect(upstream.names().flat()).toHaveLength(1_000)
    expect(await one.store.kills.progress(kill.id)).toMatchObject({
      containments: { proved: 1_000 },
      remaining: 0,
    })
  })
})

describe('stopping', () => {
  it('finishes what runs, and starts nothing new', async () => {
    const upstream = new Scripted()
    const answer = Promise.withResolvers<void>()
    upstream.revoke = async ({ orders }) => {
      await answer.promise
      return orders.map(proved)
    }
    const one = station({ upstream })
    const task = await one.openTask()
    const [running, later] = [await one.active(task), await one.active(task)]
    const lifecycle = await one.start()
    await one.end(running)
    await one.pass(0)
    expect(upstream.calls).toHaveLength(1)
    const stopped = lifecycle.stop(60_000)
    await one.end(later)
    await one.pass(0)
    answer.resolve()
    await stopped
    await one.pass(10_000)
    expect((await one.lease(running.id)).state).toBe('ended')
    expect((await one.lease(later.id)).state).toBe('ending')
    expect(upstream.calls).toHaveLength(1)
  })

  it('does not wait longer than its grace for what hangs', async () => {
    const upstream = new Scripted()
    upstream.revoke = hangs
    const one = station({ upstream })
    const lease = await one.active(await one.openTask())
    const lifecycle = await one.start()
    await one.end(lease)
    await one.pass(0)
    let over = false
    void lifecycle.stop(5_000).then(() => (over = true))
    await one.pass(4_000)
    expect(over).toBe(false)
    await one.pass(1_000)
    expect(over).toBe(true)
  })
})

describe('P12: an anchor', () => {
  it('gets the head when it moved, now and then and last at a stop, and the chain holds them', async () => {
    const one = station({ upstream: new Scripted() }, undefined)
    const anchored = station({ upstream: new Scripted() }, join(one.dir, 'anchor.jsonl'))
    const task = await anchored.openTask()
    const lifecycle = await anchored.start()
    await anchored.pass(61_000)
    await anchored.active(task)
    await anchored.pass(125_000)
    await anchored.active(task)
    const stopped = lifecycle.stop(1_000)
    await stopped
    const lines = parseAnchor(readFileSync(join(one.dir, 'anchor.jsonl'), 'utf8'))
    expect(lines.map(({ seq }) => seq)).toEqual([1, 3, 5])
    const verifier = new ChainVerifier(lines)
    for (const event of await chain(anchored.store)) verifier.add(event)
    expect(verifier.result()).toMatchObject({ ok: true, anchored: 3 })
  })

  it('P13: that hangs holds up no expiry, and no stop', async () => {
    const one = station({ upstream: new Scripted() })
    const fifo = join(one.dir, 'anchor.fifo')
    execFileSync('mkfifo', [fifo])
    const stuck = station({ upstream: new Scripted() }, fifo)
    const task = await stuck.openTask()
    const lease = await stuck.active(task, { expiresAt: stuck.clock.now() + 10_000 })
    const lifecycle = await stuck.start()
    await stuck.pass(12_000)
    expect((await stuck.lease(lease.id)).state).toBe('ended')
    const stopped = lifecycle.stop(100)
    await stuck.pass(100)
    await stopped
    // A reader lets the write that waits go on, so that the test leaves nothing behind.
    const { open } = await import('node:fs/promises')
    const reader = await open(fifo, 'r')
    await reader.read()
    await reader.close()
  })

  it('that cannot be written is reported and tried again', async () => {
    const one = station({ upstream: new Scripted() }, '/nowhere/at/all/anchor.jsonl')
    await one.openTask()
    await one.start()
    await one.pass(125_000)
    const errors = one.logged.filter(({ message }) => message.includes('anchor'))
    expect(errors.length).toBeGreaterThanOrEqual(2)
  })
})

describe('P6: waiting between attempts', () => {
  it('doubles, stays within its lane’s bound, and never stops', () => {
    const middle = () => Uint8Array.of(127)
    const waits = Array.from({ length: 12 }, (_, attempts) => backoffMs('end', attempts, middle))
    expect(waits.slice(0, 4).map((ms) => Math.round(ms / 100))).toEqual([5, 10, 20, 40])
    for (const [lane, longest] of [
      ['kill', 5_000],
      ['end', 20_000],
      ['expiry', 20_000],
      ['cleanup', 300_000],
    ] as const) {
      for (const byte of [0, 255]) {
        for (let attempts = 0; attempts < 2_000; attempts += 1) {
          const ms = backoffMs(lane, attempts, () => Uint8Array.of(byte))
          expect(ms).toBeGreaterThanOrEqual(250)
          expect(ms).toBeLessThanOrEqual(longest * 1.5)
        }
      }
    }
  })
})
