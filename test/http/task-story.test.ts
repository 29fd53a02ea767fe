import { expect, it } from 'vitest'
import { OPENING, testApi } from '../fixture/http.ts'

it('an agent opens a task, gets a credential, renews it, and all is over when the task ends', async () => {
  const { call, evidence, store, upstream, clock, advance } = await testApi()
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
})

it('the token of an ended task is dead, and says so when the end is repeated', async () => {
  const { call, open, refusal } = await testApi()
  const { id, token } = await open()
  expect((await call(`POST /v1/tasks/${id}/end`, { token })).status).toBe(200)
  expect(await refusal(`POST /v1/tasks/${id}/end`, { token })).toBe('409 task_ended')
  expect(await refusal(`GET /v1/tasks/${id}`, { token })).toBe('409 task_ended')
})

it('an operator ends a task, and ending it again is no mistake', async () => {
  const { as, open, issue, store } = await testApi()
  const task = await open()
  const { body } = await issue(task)
  for (let n = 0; n < 2; n += 1) {
    const ended = await as('responder', `POST /v1/tasks/${task.id}/end`, {})
    expect([ended.status, ended.body.state]).toEqual([200, 'ended'])
  }
  expect((await store.leases.byId(body.lease.id))?.state).toBe('ending')
})

it('a heartbeat tells once what ended since the one before', async () => {
  const { as, call, open, issue, advance, advanceKills } = await testApi()
  const task = await open({ heartbeat_seconds: 30 })
  const { lease } = (await issue(task)).body
  await advance(1_000)
  const beat = () => call(`POST /v1/tasks/${task.id}/heartbeat`, { token: task.token, body: {} })
  expect((await beat()).body.ended).toEqual([])

  await advance(1_000)
  await as('responder', 'POST /v1/kills', { selector: { lease: lease.id }, reason: 'leaked' })
  await advanceKills()
  await advance(1_000)
  expect((await beat()).body.ended).toMatchObject([
    { lease: lease.id, entitlement: 'tickets-read', cause: 'killed' },
  ])
  await advance(1_000)
  expect((await beat()).body.ended).toEqual([])
})

it('an agent ends one lease and keeps the task', async () => {
  const { call, open, issue, store } = await testApi()
  const task = await open()
  const { lease } = (await issue(task)).body
  for (let n = 0; n < 2; n += 1) {
    const ended = await call(`POST /v1/leases/${lease.id}/end`, { token: task.token })
    expect(ended.body).toMatchObject({ state: 'ending', cause: 'ended', containment: 'pending' })
  }
  expect(await store.leases.byId(lease.id)).toMatchObject({ state: 'ending', lane: 'end' })
  expect(
    (await store.tasks.list({ tenants: null }, { limit: 9, after: undefined }))[0]?.state,
  ).toBe('open')
  const renewed = await call(`POST /v1/leases/${lease.id}/renew`, { token: task.token })
  expect([renewed.status, renewed.body.code]).toEqual([409, 'lease_ended'])
})

it('a client that is gone when its credential is ready leaves no working lease behind', async () => {
  const { app, open, upstream, store } = await testApi()
  const task = await open()
  upstream.mint = 'hold'
  const client = new AbortController()
  const reached = upstream.reached()
  const answer = app.request(`/v1/tasks/${task.id}/credentials`, {
    method: 'POST',
    headers: { authorization: `Bearer ${task.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ entitlement: 'tickets-read' }),
    signal: client.signal,
  })
  await reached
  client.abort()
  upstream.release()
  const text = await (await answer).text()
  expect(text).not.toContain('canary')
  const [lease] = await store.leases.list({ tenants: null }, { limit: 9, after: undefined })
  expect(lease).toMatchObject({ state: 'ending', cause: 'not-activated' })
})
