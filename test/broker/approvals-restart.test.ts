import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { type Approving, approvalHouse } from '../fixture/approvals.ts'
import type { HouseOptions } from '../fixture/broker.ts'
import type { Opened } from '../fixture/http.ts'
import { ManualTime } from '../fixture/time.ts'
import { startIssuer } from '../identity/issuer-server.ts'

/** A house that can be left and entered again, as by a restart of the broker. */
async function lasting(change: HouseOptions['change'] = () => {}) {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-approvals-'))
  const issuer = await startIssuer()
  const time = new ManualTime()
  onTestFinished(async () => {
    await issuer.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const options = { dir, issuer, time, change }
  let api = await approvalHouse(options)
  return {
    dir,
    api: () => api,
    restart: async (): Promise<Approving> => {
      const { upstream, key } = api
      await api.store.close()
      api = await approvalHouse({ ...options, upstream, key })
      return api
    },
  }
}

const approve = (api: Approving, id: string) =>
  api.as('approver', `POST /v1/approvals/${id}/approve`, {})

it('P6: an approval outlives a restart between each of its steps', async () => {
  const house = await lasting()
  const task = await house.api().intend()
  const { id } = await house.api().pending(task)
  const pending = await house.restart()
  expect((await pending.pending(task)).id).toBe(id)
  expect((await approve(pending, id)).status).toBe(200)
  const granted = await house.restart()
  const issued = await granted.ask(task)
  expect(issued.status).toBe(201)
  const used = await house.restart()
  expect(await used.seen(task, id)).toMatchObject({
    state: 'consumed',
    lease: issued.body.lease.id,
  })
  expect((await used.ask(task)).status).toBe(202)
  expect(used.upstream.minted).toHaveLength(1)
})

it('P6: caps and the time after a denial outlive a restart', async () => {
  const house = await lasting((doc) => {
    doc.approvals = { pending_per_agent: 1, cool_down: '10m' }
  })
  const task = await house.api().intend()
  const { id } = await house.api().pending(task)
  let api = await house.restart()
  expect((await api.ask(task, { ttl_seconds: 9 })).status).toBe(429)
  await api.as('approver', `POST /v1/approvals/${id}/deny`, { reason: 'no' })
  api = await house.restart()
  const refused = await api.ask(task)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '600'])
})

it('P5: time that passed while the broker was down counts', async () => {
  const house = await lasting()
  const task = await house.api().intend({ ttl_seconds: 7200 })
  const { id } = await house.api().pending(task)
  await approve(house.api(), id)
  await house.api().advance(299_000)
  let api = await house.restart()
  await api.advance(1_000)
  api = await house.restart()
  expect((await api.ask(task)).status).toBe(202)
  expect(await api.seen(task, id)).toMatchObject({ state: 'expired', cause: 'time' })
})

it('P8: a restored database brings no approval back', async () => {
  const house = await lasting()
  const task: Opened = await house.api().intend()
  const used = await house.api().pending(task, { ttl_seconds: 60 })
  const open = await house.api().pending(task, { ttl_seconds: 61 })
  await approve(house.api(), used.id)
  await house.api().store.close()
  const file = join(house.dir, 'mayfly.db')
  copyFileSync(file, `${file}.backup`)
  let api = await house.restart()
  expect((await api.ask(task, { ttl_seconds: 60 })).status).toBe(201)
  await api.store.close()
  copyFileSync(`${file}.backup`, file)
  for (const rest of ['-wal', '-shm']) rmSync(`${file}${rest}`, { force: true })
  api = await house.restart()
  expect((await api.ask(task, { ttl_seconds: 60 })).body.code).toBe('not_revocable_now')
  const page = { now: api.clock.now(), limit: 9, policyHash: api.broker.world().policy.hash }
  expect((await approve(api, open.id)).status).toBe(409)
  expect(await api.store.approvals.expireForeign(page)).toBe(1)
  for (const { id } of [used, open]) {
    expect(await api.seen(task, id)).toMatchObject({ state: 'expired', cause: 'restored' })
  }
  expect(api.upstream.minted).toHaveLength(1)
})
