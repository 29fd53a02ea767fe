import { expect, it } from 'vitest'
import { testApi } from '../fixture/http.ts'
import { whileMinted } from '../fixture/while-minted.ts'

it('P9: a retry while the first is in flight is 409 with Retry-After, and mints nothing', async () => {
  const { issue, open, upstream } = await testApi()
  const task = await open()
  const first = await whileMinted(
    upstream,
    () => issue(task, {}, 'key-1'),
    async () => {
      const second = await issue(task, {}, 'key-1')
      expect([second.status, second.body.code]).toEqual([409, 'in_flight'])
      expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(second.body.retry_after).toBeGreaterThan(0)
    },
  )
  expect(first.status).toBe(201)
  expect(upstream.minted).toHaveLength(1)
})

it('P9: one key with another body is 422, whichever part differs', async () => {
  const { issue, open, upstream } = await testApi()
  const task = await open()
  await issue(task, {}, 'key-1')
  for (const other of [{ ttl_seconds: 61 }, { intent: [ALIKE] }]) {
    const answer = await issue(task, other, 'key-1')
    expect([answer.status, answer.body.code]).toEqual([422, 'idempotency_mismatch'])
  }
  expect(upstream.minted).toHaveLength(1)
})

const ALIKE = { type: 'fake', actions: ['read'], locations: ['/tickets/4711/mail'] }

it('P9: after the first is done a retry replaces it: one live lease, a new secret', async () => {
  const { issue, open, store } = await testApi()
  const task = await open()
  const first = (await issue(task, {}, 'key-1')).body
  const second = (await issue(task, {}, 'key-1')).body
  expect(second.lease.id).not.toBe(first.lease.id)
  expect(second.credential.key).not.toBe(first.credential.key)
  expect(await store.leases.byId(first.lease.id)).toMatchObject({
    state: 'ending',
    cause: 'replaced',
  })
  expect(await store.leases.countActive({ task: task.id })).toBe(1)
})

it('P9: after the outcome was unknown a retry gets a lease of its own', async () => {
  const { issue, open, store, upstream } = await testApi()
  const task = await open()
  upstream.mint = 'unknown'
  const first = await issue(task, {}, 'key-1')
  expect([first.status, first.body.code]).toEqual([503, 'upstream_unavailable'])
  upstream.mint = 'ok'
  expect((await issue(task, {}, 'key-1')).status).toBe(201)
  expect(await store.leases.countActive({ task: task.id })).toBe(1)
})

it('P9: the same key in another task is another key', async () => {
  const { issue, open, store } = await testApi()
  const [a, b] = [await open(), await open()]
  const first = (await issue(a, {}, 'key-1')).body.lease
  const second = await issue(b, { ttl_seconds: 9 }, 'key-1')
  expect(second.status).toBe(201)
  expect((await store.leases.byId(first.id))?.state).toBe('active')
})

it('P9: without a key every request is a lease of its own', async () => {
  const { issue, open, store } = await testApi()
  const task = await open()
  await issue(task)
  await issue(task)
  expect(await store.leases.countActive({ task: task.id })).toBe(2)
})

it('P9: a key in quotes is the same key without them', async () => {
  const { issue, open, store } = await testApi()
  const task = await open()
  await issue(task, {}, '"key-1"')
  await issue(task, {}, 'key-1')
  expect(await store.leases.countActive({ task: task.id })).toBe(1)
})

it.each(['', 'a b', 'ü', '""', `"${'a'.repeat(256)}"`, 'a'.repeat(256)])(
  'P9: the key %j is refused, and nothing is issued',
  async (key) => {
    const { issue, open, upstream } = await testApi()
    const answer = await issue(await open(), {}, key)
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request'])
    expect(upstream.minted).toEqual([])
  },
)
