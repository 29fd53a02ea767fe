import { expect, it } from 'vitest'
import { testApi } from '../fixture/http.ts'

const DELETING = {
  type: 'fake',
  identifier: 'tickets-write',
  actions: ['delete'],
  locations: ['/tickets/4711/*'],
}

async function refusedDeletion() {
  const api = await testApi()
  const task = await api.open({ intent: [DELETING] })
  expect((await api.issue(task, { entitlement: 'tickets-write' })).status).toBe(403)
  const { items } = (await api.as('support', 'GET /v1/decisions?outcome=deny')).body
  return { api, task, id: items[0].id as string }
}

it('P15: a refusal is explained by what was asked and by what it would have needed', async () => {
  const { api, id } = await refusedDeletion()
  const { status, body } = await api.as('support', `GET /v1/decisions/${id}/explanation`)
  expect(status).toBe(200)
  expect(body.decision).toMatchObject({ id, outcome: 'deny', policies: [], rails: [] })
  expect(body.intent).toBe('of the task')
  expect(body.inputs).toHaveLength(1)
  expect(body.inputs[0]).toMatchObject({
    action: 'requestCredential',
    agent: { id: 'summariser', tenant: 'support' },
    workload: { name: 'corp/robot', proof: 'bearer', claims: { sub: 'robot' } },
    entitlement: { id: 'tickets-write', zone: 'internal', tenants: ['support'] },
    task: { zones: [], impact: [] },
    risk: { level: 'LOW', reasons: [] },
    request: { ttl_seconds: 300, actions: ['delete'], impact: ['destructive-write'] },
    chain: [],
  })
  expect(body.in_force).toMatchObject({ outcome: 'deny', policy_hash: body.decision.policy_hash })
  expect(body.needed).toEqual([
    'policy "low-impact" (credentials.cedar) would permit it with: context.request.impact.isEmpty()',
    'policy "with-approval" (credentials.cedar) would permit it with an approval and: ["bound", "key"].contains(context.workload.proof)',
  ])
})

it('P15: a permit is explained by the text of the policy that gave it', async () => {
  const api = await testApi()
  const task = await api.open()
  const { lease } = (await api.issue(task)).body
  const { body } = await api.as('support', `GET /v1/decisions/${lease.decision}/explanation`)
  expect(body.policies).toEqual([
    {
      id: 'low-impact',
      file: 'credentials.cedar',
      text: expect.stringContaining('@id("low-impact")'),
    },
  ])
  expect(body.needed).toEqual([])
})

it('P15: what a policy forbids and what a rail refuses are told apart', async () => {
  const api = await testApi()
  const other = await api.open()
  expect((await api.issue(other, { entitlement: 'invoices-read' })).status).toBe(404)
  const [byRail] = (await api.as('support', 'GET /v1/decisions?outcome=deny')).body.items
  const rail = (await api.as('support', `GET /v1/decisions/${byRail.id}/explanation`)).body
  expect(rail.inputs).toEqual([])
  expect(rail.needed).toEqual([
    'no policy can permit it: entitlement: no entitlement "invoices-read"',
  ])

  const { headers, body } = api.delivery({
    subject: { agent: 'summariser' },
    level: 'HIGH',
    action: 'risk',
    reason: 'odd logins',
  })
  expect((await api.call('POST /v1/signals/siem', { headers, body })).status).toBe(202)
  await api.advance(1)
  expect((await api.issue(other)).status).toBe(403)
  const [forbidden] = (await api.as('support', 'GET /v1/decisions?outcome=deny')).body.items
  const { body: why } = await api.as('support', `GET /v1/decisions/${forbidden.id}/explanation`)
  expect(why.inputs[0].risk).toEqual({ level: 'HIGH', reasons: ['odd logins'] })
  expect(why.needed[0]).toBe('policy "high-risk" (risk.cedar) must not apply: it forbids this')
})

it('P15: the agent itself is told no more than before', async () => {
  const { api, task, id } = await refusedDeletion()
  for (const path of [`/v1/decisions/${id}`, `/v1/decisions/${id}/explanation`]) {
    expect((await api.call(`GET ${path}`, { token: task.token })).status).toBe(403)
  }
})

it('P2: what a decision keeps holds no token, and its claims stay with the task', async () => {
  const { api, task, id } = await refusedDeletion()
  const stored = JSON.stringify(await api.store.decisions.byId(id as never))
  expect(stored).not.toContain(task.token)
  expect(stored).toContain('"claims":{}')
})

it('P15: what a check found of a provider is for who sees every tenant, not for the agent', async () => {
  const api = await testApi()
  const task = await api.open()
  const { lease } = (await api.issue(task)).body
  const what = 'the ending identity may not iam:PutRolePolicy on arn:aws:iam::9:role/of-billing'
  api.broker.health.checked('upstream', [{ level: 'blocking', what, fix: '' }])
  const refused = [
    await api.issue(task),
    await api.call(`POST /v1/leases/${lease.id}/renew`, { token: task.token, body: {} }),
  ]
  for (const { status, text, body } of refused) {
    expect([status, body.code]).toEqual([503, 'not_revocable_now'])
    expect(text).not.toMatch(/iam:|billing/)
  }
  const decisions = await api.as('support', 'GET /v1/decisions?outcome=deny')
  expect(decisions.body.items).toHaveLength(2)
  expect(decisions.text).not.toMatch(/iam:|billing/)
  expect((await api.as('support', 'GET /v1/providers')).text).not.toMatch(/iam:|billing/)
  expect((await api.as('admin', 'GET /v1/providers')).text).toContain(what)
})
