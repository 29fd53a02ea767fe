import { describe, expect, it } from 'vitest'
import { INVOICE, OPENING, TICKET, testApi } from '../fixture/http.ts'

const all = { limit: 99, after: undefined }

describe('P3: refuses by default', () => {
  it('P3: a workload that is no agent opens nothing', async () => {
    const { refusal, evidence, store } = await testApi()
    const token = await evidence({ sub: 'stranger' })
    expect(await refusal('POST /v1/tasks', { token, body: OPENING })).toBe('403 agent_unknown')
    expect(await store.tasks.list({ tenants: null }, all)).toEqual([])
  })

  it('P3: a workload that two agents match opens nothing', async () => {
    const { refusal, evidence, store } = await testApi()
    const token = await evidence({ sub: 'twin' })
    expect(await refusal('POST /v1/tasks', { token, body: OPENING })).toBe('403 agent_unknown')
    expect(await store.tasks.list({ tenants: null }, all)).toEqual([])
  })

  it('P3: a field nobody knows refuses the whole request, and is named', async () => {
    const { call, evidence, store } = await testApi()
    const body = { ...OPENING, intent: [{ ...TICKET, wide: true }], admin: true }
    const { status, body: problem } = await call('POST /v1/tasks', {
      token: await evidence(),
      body,
    })
    expect([status, problem.code]).toEqual([400, 'invalid_request'])
    expect(problem.errors.map((error: { path: string }) => error.path)).toEqual([
      'intent[0].wide',
      'admin',
    ])
    expect(await store.tasks.list({ tenants: null }, all)).toEqual([])
  })

  it('P3: no matching policy is a refusal, for tasks and for credentials', async () => {
    const { refusal, evidence } = await testApi({ policies: [] })
    const token = await evidence()
    expect(await refusal('POST /v1/tasks', { token, body: OPENING })).toBe('403 policy_denied')
  })

  it('P10: an agent that must show more than a bearer token is refused with one', async () => {
    const { refusal, evidence } = await testApi()
    const token = await evidence({ sub: 'careful' })
    expect(await refusal('POST /v1/tasks', { token, body: OPENING })).toBe('403 proof_too_weak')
  })

  it('P10: what Mayfly itself issued is no evidence', async () => {
    const { refusal, open, operators } = await testApi()
    const { token } = await open()
    expect(await refusal('POST /v1/tasks', { token, body: OPENING })).toBe('401 unauthenticated')
    const operator = operators.admin
    expect(await refusal('POST /v1/tasks', { token: operator, body: OPENING })).toBe(
      '401 unauthenticated',
    )
  })
})

describe('P4: never wider', () => {
  it('P4: a task cannot be opened wider than the ceiling, and the refusal is kept', async () => {
    const { refusal, evidence, store } = await testApi()
    const intent = [{ ...TICKET, locations: ['/*'] }]
    const token = await evidence()
    expect(await refusal('POST /v1/tasks', { token, body: { ...OPENING, intent } })).toBe(
      '403 intent_exceeded',
    )
    expect(await store.tasks.list({ tenants: null }, all)).toEqual([])
    const [decision] = await store.decisions.list({ tenants: null }, all)
    expect(decision).toMatchObject({ action: 'openTask', outcome: 'deny', rails: ['intent'] })
  })

  it('P4: a credential cannot be wider than its task, and the refusal is kept', async () => {
    const { issue, open, store, upstream } = await testApi()
    const task = await open()
    const answer = await issue(task, { intent: [{ ...TICKET, locations: ['/tickets/*'] }] })
    expect([answer.status, answer.body.code]).toEqual([403, 'intent_exceeded'])
    // The ceiling would allow it: the agent reads what to ask for instead.
    expect(answer.body.detail).toContain("wider than the task's intent: intent[0].locations[0]")
    expect(answer.body.detail).not.toContain('ceiling')
    expect(upstream.minted).toEqual([])
    expect(await store.leases.list({ tenants: null }, all)).toEqual([])
    const [decision] = await store.decisions.list({ tenants: null, task: task.id }, all)
    expect(decision).toMatchObject({ outcome: 'deny', rails: ['intent'], lease: null })
  })

  it('P4: a narrower credential carries just what was asked', async () => {
    const { issue, open } = await testApi()
    const answer = await issue(await open(), {
      intent: [{ ...TICKET, locations: ['/tickets/4711/mail'] }],
    })
    expect(answer.body.lease.scope).toEqual({
      allow: [{ actions: ['read'], locations: ['/tickets/4711/mail'] }],
    })
  })

  it("P4: an entitlement of another tenant answers like one that isn't there", async () => {
    const { issue, open, evidence, refusal } = await testApi()
    const task = await open()
    const foreign = await issue(task, { entitlement: 'invoices-read' })
    const unknown = await issue(task, { entitlement: 'no-such-thing' })
    expect([foreign.status, unknown.status]).toEqual([404, 404])
    const token = await evidence()
    for (const identifier of ['invoices-read', 'no-such-thing']) {
      const body = { ...OPENING, intent: [{ ...INVOICE, identifier }] }
      expect(await refusal('POST /v1/tasks', { token, body })).toBe('400 invalid_intent')
    }
  })
})

describe('P5: never longer', () => {
  it.each([
    ['request', { ttl_seconds: 7 }, {}, 7],
    ['entitlement default', {}, {}, 300],
    ['entitlement maximum', { ttl_seconds: 5_000 }, {}, 900],
    ['task deadline', { ttl_seconds: 600 }, { ttl_seconds: 60 }, 60],
  ])('P5: the %s bounds a lease', async (_, request, opening, seconds) => {
    const { issue, open, clock } = await testApi()
    const { lease, credential } = (await issue(await open(opening), request)).body
    const end = new Date(clock.now() + seconds * 1_000).toISOString()
    expect([lease.expires_at, lease.native_expires_at, credential.expires_at]).toEqual([
      end,
      end,
      end,
    ])
  })

  it('P5: renewal cannot pass the deadline of the task', async () => {
    const { issue, open, call, advance } = await testApi()
    const task = await open({ ttl_seconds: 100 })
    const { lease } = (await issue(task, { ttl_seconds: 60 })).body
    await advance(50_000)
    const renewed = await call(`POST /v1/leases/${lease.id}/renew`, { token: task.token })
    const deadline = new Date(Date.parse(lease.created_at) + 100_000).toISOString()
    expect(renewed.body.lease.expires_at).toBe(deadline)
    await advance(50_000)
    const late = await call(`POST /v1/leases/${lease.id}/renew`, { token: task.token })
    expect([late.status, late.body.code]).toEqual([409, 'task_ended'])
  })

  it('P5: a task lives no longer than the installation allows', async () => {
    const { open, store } = await testApi({
      change: (doc) => {
        doc.limits = { task_max_ttl: '10m' }
      },
    })
    const { id } = await open({ ttl_seconds: 86_400 })
    const task = await store.tasks.list({ tenants: null }, all)
    expect(task[0]).toMatchObject({ id, deadline: (task[0]?.createdAt ?? 0) + 600_000 })
  })
})

describe('P15: a refusal explains itself to the operator alone', () => {
  it('P15: the agent is told a number, the operator the policy', async () => {
    const { issue, open, as } = await testApi()
    const intent = [{ ...TICKET, identifier: 'tickets-write', actions: ['delete'] }]
    const answer = await issue(await open({ intent }), { entitlement: 'tickets-write' })
    expect([answer.status, answer.body.code]).toEqual([403, 'policy_denied'])
    expect(answer.text).not.toMatch(/with-approval|low-impact|proof|cedar/i)
    const id = /dec_[a-z2-7]{20}/.exec(answer.body.detail)?.[0]
    const decision = await as('support', `GET /v1/decisions/${id}`)
    expect(decision.body).toMatchObject({ outcome: 'deny', entitlement: 'tickets-write' })
    const denied = await as('support', 'GET /v1/decisions?outcome=deny')
    expect(denied.body.items.map((one: { id: string }) => one.id)).toEqual([id])
  })

  it('P15: under a forbid the operator sees its name, the agent does not', async () => {
    const { issue, open, as, app, delivery } = await testApi()
    const task = await open()
    const { headers, body } = delivery({
      subject: { agent: 'summariser' },
      level: 'HIGH',
      action: 'risk',
      reason: 'odd calls',
    })
    await app.request('/v1/signals/siem', { method: 'POST', headers, body })
    const answer = await issue(task)
    expect(answer.text).not.toMatch(/high-risk|odd calls|HIGH/)
    const id = /dec_[a-z2-7]{20}/.exec(answer.body.detail)?.[0]
    const decision = await as('support', `GET /v1/decisions/${id}`)
    expect(decision.body.policies).toEqual(['high-risk'])
  })
})
