import { expect, it } from 'vitest'
import { testApi } from '../fixture/http.ts'
import { whileMinted } from '../fixture/while-minted.ts'

it('P7: what the world in force refuses is not answered, though it was reserved under another', async () => {
  const api = await testApi()
  const task = await api.open()
  const answer = await whileMinted(
    api.upstream,
    () => api.issue(task),
    () =>
      api.reconfigure((doc) => {
        doc.entitlements[0].ceiling[0].locations = ['/tickets/9/*']
        doc.entitlements[0].datasets = []
      }),
  )
  expect([answer.status, answer.body.code]).toEqual([403, 'policy_denied'])
  expect(answer.text).not.toContain('credential"')
  const [lease] = (await api.as('admin', 'GET /v1/leases')).body.items
  expect(lease).toMatchObject({ state: 'ending', cause: 'policy' })
})

it('P6: what was planned for an upstream that its provider left meanwhile is not minted there', async () => {
  const api = await testApi()
  const task = await api.open()
  await api.store.adoptUpstreams(new Map([['upstream', 'fake there']]), [])
  const answer = await api.issue(task)
  expect([answer.status, answer.body.code]).toEqual([503, 'unavailable'])
  expect(answer.headers.get('retry-after')).toBe('1')
  expect(api.upstream.minted).toEqual([])
  expect((await api.as('admin', 'GET /v1/leases')).body.items).toEqual([])
})
