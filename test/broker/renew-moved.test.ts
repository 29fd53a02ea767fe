import { expect, it } from 'vitest'
import { testApi } from '../fixture/http.ts'

it('P4: does not renew a lease whose entitlement was moved to another target', async () => {
  const { open, issue, call, store, upstream, reconfigure } = await testApi()
  const task = await open()
  const { lease } = (await issue(task)).body
  reconfigure((doc) => {
    doc.entitlements[0].target = { account: 'elsewhere' }
  })
  const renewed = await call(`POST /v1/leases/${lease.id}/renew`, { token: task.token, body: {} })
  expect([renewed.status, renewed.body.code]).toEqual([409, 'lease_ended'])
  // What ends the lease knows only the old target: nothing may exist at the new one.
  expect(upstream.minted.map(({ order }) => order.target)).toMatchObject([{ account: 'tickets' }])
  expect(await store.leases.byId(lease.id)).toMatchObject({ state: 'ending', cause: 'config' })
})
