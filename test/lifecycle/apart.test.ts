import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startLifecycle } from '../../src/lifecycle/lifecycle.ts'
import type { HouseOptions } from '../fixture/broker.ts'
import { testApi } from '../fixture/http.ts'
import { ManualTime, settle } from '../fixture/time.ts'

const broken = () => Promise.reject(new Error('this part of the store is broken'))

async function running(options: HouseOptions = {}) {
  // The disk that is checked must exist.
  const store = { url: `sqlite:${join(tmpdir(), 'mayfly.db')}` }
  return await testApi({
    ...options,
    change: (document) => Object.assign(document, { store }),
  })
}

it('P13: leases run out and end although tasks cannot be looked at', async () => {
  const api = await running()
  const task = await api.open()
  const { lease } = (await api.issue(task, { ttl_seconds: 5 })).body
  Object.assign(api.store.tasks, { due: broken })
  const lifecycle = await startLifecycle(api.broker)
  onTestFinished(() => lifecycle.stop(100))
  await api.advance(8_000)
  expect(await api.store.leases.byId(lease.id)).toMatchObject({ state: 'ended', cause: 'expired' })
  expect(api.logged.some(({ level }) => level === 'error')).toBe(true)
})

it('P13: what is due is ended although a kill cannot be handed on', async () => {
  const api = await running()
  const task = await api.open()
  const { lease } = (await api.issue(task)).body
  Object.assign(api.store.kills, { advance: broken })
  const lifecycle = await startLifecycle(api.broker)
  onTestFinished(() => lifecycle.stop(100))
  await api.call(`POST /v1/leases/${lease.id}/end`, { token: task.token })
  await api.advance(2_000)
  expect(await api.store.leases.byId(lease.id)).toMatchObject({ state: 'ended', cause: 'ended' })
})

it('P1: a mint whose outcome could not be written down is chased without a restart', async () => {
  const api = await running()
  const task = await api.open()
  const { activate } = api.store.leases
  const full = () => Promise.reject(new Error('the disk is full'))
  Object.assign(api.store.leases, { activate: full })
  expect((await api.issue(task)).status).toBe(500)
  Object.assign(api.store.leases, { activate })
  const lifecycle = await startLifecycleOnly(api)
  onTestFinished(() => lifecycle.stop(100))
  const [minted] = api.upstream.minted
  await api.advance(60_000)
  const [lease] = await api.store.leases.list({ tenants: null }, { limit: 1, after: undefined })
  expect(lease).toMatchObject({ state: 'ending', cause: 'unknown-outcome' })
  expect(api.upstream.works(minted?.secret ?? '', api.clock.now())).toBe(false)
})

it('P7: time in which the process did not run does not count against a task', async () => {
  const time = new ManualTime()
  const api = await running({ time })
  const task = await api.open({ heartbeat_seconds: 10, ttl_seconds: 86_400 })
  const lifecycle = await startLifecycle(api.broker)
  onTestFinished(() => lifecycle.stop(100))
  time.stepWall(3_600_000)
  await api.advance(5_000)
  expect(await api.store.tasks.byId(task.id as never)).toMatchObject({ state: 'open' })
  await api.advance(21_000)
  expect(await api.store.tasks.byId(task.id as never)).toMatchObject({
    state: 'ended',
    cause: 'heartbeat-lost',
  })
})

/** As it runs, without what only a start does. */
async function startLifecycleOnly(api: Awaited<ReturnType<typeof running>>) {
  const { settleAfterRestart } = api.store.leases
  Object.assign(api.store.leases, { settleAfterRestart: async () => 0 })
  const lifecycle = await startLifecycle(api.broker)
  Object.assign(api.store.leases, { settleAfterRestart })
  return lifecycle
}

it('P13: an end that cannot be written down is not tried without a pause', async () => {
  const api = await running()
  const task = await api.open()
  const { lease } = (await api.issue(task)).body
  Object.assign(api.store.endings, { contained: broken })
  const lifecycle = await startLifecycle(api.broker)
  onTestFinished(() => lifecycle.stop(100))
  await api.call(`POST /v1/leases/${lease.id}/end`, { token: task.token })
  for (let n = 0; n < 20; n += 1) await settle()
  expect(api.upstream.revokeCalls.length).toBeLessThanOrEqual(2)
  await api.advance(3_500)
  expect(api.upstream.revokeCalls.length).toBeGreaterThan(2)
})

it('P13: a provider whose check or proof hangs holds up neither another nor itself', async () => {
  const api = await running()
  const upstream = api.broker.world().providers.get('upstream')
  if (!upstream) throw new Error('the house has no upstream')
  const { provider } = upstream
  const checked: string[] = []
  const never = new Promise<never>(() => {})
  Object.assign(provider, { check: () => never, prove: () => never })
  const check = async () => {
    checked.push('other')
    return []
  }
  const other = { ...upstream, provider: { ...provider, check } }
  const providers = new Map([...api.broker.world().providers, ['other', other]])
  const world = { ...api.broker.world(), providers }
  Object.assign(api.broker, { world: () => world })
  api.upstream.revoke = 'enforced'
  const task = await api.open()
  const { lease } = (await api.issue(task)).body
  const lifecycle = await startLifecycle(api.broker)
  onTestFinished(async () => {
    const stopped = lifecycle.stop(100)
    await api.advance(200)
    await stopped
  })
  await expect.poll(() => checked).toEqual(['other'])
  await api.call(`POST /v1/leases/${lease.id}/end`, { token: task.token })
  await api.advance(20_000)
  expect(await api.store.leases.byId(lease.id)).toMatchObject({ containment: 'enforced' })
})
