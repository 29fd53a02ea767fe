import { expect, it, onTestFinished } from 'vitest'
import { OPENING, testApi } from '../fixture/http.ts'

async function house(...args: Parameters<typeof testApi>) {
  const api = await testApi(...args)
  onTestFinished(api.close)
  return api
}

it('an agent opens a task, gets a credential, renews it, and all is over when the task ends', async () => {
  const { call, evidence, store, upstream, clock, advance } = await house()
  const opened = await call('POST /v1/tasks', { token: await evidence(), body: OPENING })
  expect(opened.status).toBe(201)
  const { task, token } = opened.body
  expect(task).toMatchObject({ agent: 'summariser', tenant: 'support', state: 'open' })
  expect(await store.tasks.byId(task.id)).toMatchObject({ state: 'open' })

  const may = await call(`GET /v1/tasks/${task.id}/entitlements`, { token })
  expect(may.body.items).toMatchObject([{ entitlement: 'tickets-read', target: 'tickets' }])

  const issued = await call(`POST /v1/tasks/${task.id}/credentials`, {
    token,
    body: { entitlement: 'tickets-read', ttl_seconds: 60 },
  })
  expect(issued.status).toBe(201)
  const { lease, credential } = issued.body
  const expires_at = new Date(clock.now() + 60_000).toISOString()
  expect(lease).toMatchObject({ state: 'active', generation: 1, expires_at })
  expect(credential).toMatchObject({ type: 'fake', account: 'tickets', expires_at })
  expect(upstream.works(credential.key, clock.now())).toBe(true)
  expect(await store.leases.byId(lease.id)).toMatchObject({ state: 'active', task: task.id })

  await advance(30_000)
  const renewed = await call(`POST /v1/leases/${lease.id}/renew`, { token, body: {} })
  expect(renewed.status).toBe(200)
  expect(renewed.body).toMatchObject({ generation: 2, lease: { id: lease.id, state: 'active' } })
  expect(renewed.body.credential.key).not.toBe(credential.key)

  const ended = await call(`POST /v1/tasks/${task.id}/end`, {
    token,
    body: { outcome: 'completed' },
  })
  expect(ended.status).toBe(200)
  expect(ended.body).toMatchObject({ state: 'ended', outcome: 'completed' })
  expect(await store.leases.byId(lease.id)).toMatchObject({ state: 'ending', cause: 'task-ended' })
  const again = await call(`POST /v1/tasks/${task.id}/end`, { token, body: {} })
  expect([again.status, again.body.code]).toEqual([409, 'task_ended'])
})
