import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { startLifecycle } from '../../src/lifecycle/lifecycle.ts'
import { type Api, testApi } from '../fixture/http.ts'
import { ManualTime, settle } from '../fixture/time.ts'

const DISK_BYTES = 24 * 1024 ** 2
const RESERVE = '8MiB'
const RESERVE_BYTES = 8 * 1024 ** 2
const KEPT_FREE_BYTES = 2 * 1024 ** 2

/** A filesystem of its own, where this machine lets us have one. */
function smallDisk(): string | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', dir], {
      stdio: 'ignore',
    })
    return dir
  } catch {
    rmSync(dir, { recursive: true, force: true })
    return undefined
  }
}

const disk = smallDisk()
afterAll(() => {
  if (disk === undefined) return
  execFileSync('umount', ['-l', disk], { stdio: 'ignore' })
  rmSync(disk, { recursive: true, force: true })
})

function freeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir)
  return bavail * bsize
}

/** Leaves so much; whatever it wrote for that is taken away again by the answer. */
function fillTo(dir: string, bytes: number): () => void {
  const ballast = join(dir, 'ballast')
  const size = freeBytes(dir) - bytes
  if (size > 0) writeFileSync(ballast, Buffer.alloc(size, 1))
  return () => rmSync(ballast, { force: true })
}

async function rest(api: Api, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    await api.advance(1_000)
    await new Promise((resolve) => setTimeout(resolve, 2))
    await settle()
  }
}

describe.skipIf(disk === undefined)('P17: a disk that is filling', () => {
  it('mints nothing below the reserve; kills and ends have room; nothing is to be done after', async () => {
    if (disk === undefined) return
    const time = new ManualTime()
    const dir = mkdtempSync(join(disk, 'house-'))
    const store = { url: `sqlite:${join(dir, 'mayfly.db')}` }
    const api = await testApi({
      time,
      dir,
      change: (document) => {
        document.store = store
        document.limits = { free_disk_reserve: RESERVE, issues_per_minute_per_agent: 10_000 }
      },
    })
    const lifecycle = await startLifecycle(api.broker)
    onTestFinished(async () => {
      const stopped = lifecycle.stop(0)
      await time.advance(1)
      await stopped
    })
    const tasks = []
    for (let n = 0; n < 20; n += 1) {
      const task = await api.open()
      const { body } = await api.issue(task)
      tasks.push({ task, lease: body.lease.id as `lease_${string}` })
    }

    // Below the reserve: nothing begins, every end and kill goes through.
    const makeRoom = fillTo(dir, RESERVE_BYTES - 1024 ** 2)
    await rest(api, 6_000)
    const late = await api.open().catch(() => undefined)
    if (late) expect((await api.issue(late)).body.code).toBe('not_revocable_now')
    const [first, second] = tasks
    if (!first || !second) throw new Error('nothing was issued')
    const end = `POST /v1/tasks/${first.task.id}/end`
    expect(
      (await api.call(end, { token: first.task.token, body: { outcome: 'completed' } })).status,
    ).toBe(200)
    const kill = { selector: { lease: second.lease }, reason: 'odd' }
    expect((await api.as('responder', 'POST /v1/kills', kill)).status).toBe(202)
    await rest(api, 2_000)
    for (const { lease } of [first, second]) {
      expect(await api.store.leases.byId(lease)).toMatchObject({ state: 'ended' })
    }
    expect(freeBytes(dir)).toBeGreaterThan(KEPT_FREE_BYTES)

    // No room at all: what cannot be written down is refused, never half done.
    makeRoom()
    const makeAll = fillTo(dir, 0)
    const answers = []
    for (const { lease } of tasks.slice(2, 12)) {
      const order = { selector: { lease }, reason: 'no room' }
      answers.push({ lease, status: (await api.as('responder', 'POST /v1/kills', order)).status })
    }
    await rest(api, 3_000)
    makeAll()
    await rest(api, 30_000)
    expect(answers.map(({ status }) => status)).toContain(503)
    for (const { lease, status } of answers) {
      expect([202, 503]).toContain(status)
      const { state } = (await api.store.leases.byId(lease)) ?? {}
      expect({ lease, status, state }).toEqual({
        lease,
        status,
        state: status === 202 ? 'ended' : 'active',
      })
    }
    const again = await api.as('responder', 'POST /v1/kills', {
      selector: { agent: 'summariser' },
      reason: 'all',
      block_seconds: 0,
    })
    expect(again.status).toBe(202)
    await rest(api, 3_000)
    for (const { lease } of tasks) {
      expect(await api.store.leases.byId(lease)).toMatchObject({ state: 'ended' })
    }
    expect((await api.issue(await api.open())).status).toBe(201)
  })
})
