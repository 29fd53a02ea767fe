import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { expect, it, onTestFinished } from 'vitest'
import { mayfly } from '../cli/run-mayfly.ts'
import { starterPolicies } from '../fixture/broker.ts'
import { type Api, INVOICE, testApi } from '../fixture/http.ts'

const PLAIN = { agent: { tenant: 'support' }, entitlement: { tenants: ['support'] } }
const NOBODY = [{ name: 'none.cedar', text: '@id("none") forbid(principal, action, resource);' }]
const PATH = 'POST /v1/policies/simulate'

async function everything({ store }: Api) {
  const page = { limit: 100, after: undefined }
  return JSON.stringify([
    await store.decisions.list({ tenants: null }, page),
    await store.leases.list({ tenants: null }, page),
    await store.audit.head(),
  ])
}

it('says what the policies in force and proposed ones make of a described request', async () => {
  const api = await testApi()
  const now = (await api.as('support', PATH, { request: PLAIN })).body
  expect(now.verdict).toMatchObject({ outcome: 'permit', policies: ['low-impact'] })
  expect(now.in_force).toEqual(now.verdict)
  const { status, body } = await api.as('support', PATH, { request: PLAIN, policies: NOBODY })
  expect(status).toBe(200)
  expect(body.verdict).toMatchObject({ outcome: 'deny', policies: ['none'] })
  expect(body.in_force).toMatchObject({ outcome: 'permit' })
  const high = { ...PLAIN, risk: 'HIGH' }
  expect((await api.as('support', PATH, { request: high })).body.needed[0]).toMatch(/high-risk/)
})

it('asks again what a stored decision was asked, claims included, without any effect', async () => {
  const api = await testApi()
  const { lease } = (await api.issue(await api.open())).body
  const before = await everything(api)
  const policies = [
    {
      name: 'claims.cedar',
      text: `@id("by-claim") permit(principal is Mayfly::Agent,
        action == Mayfly::Action::"requestCredential", resource)
      when { context.workload.hasTag("sub") && context.workload.getTag("sub") == "robot" };`,
    },
  ]
  const { body } = await api.as('support', PATH, { decision: lease.decision, policies })
  expect(body.verdict).toMatchObject({ outcome: 'permit', policies: ['by-claim'] })
  const strict = { decision: lease.decision, policies: NOBODY }
  expect((await api.as('support', PATH, strict)).body.verdict.outcome).toBe('deny')
  expect(await everything(api)).toBe(before)
  expect((await api.store.leases.byId(lease.id))?.state).toBe('active')
})

it('P11: a decision or request of another tenant is not simulated', async () => {
  const api = await testApi()
  const { lease } = (await api.issue(await api.open())).body
  const as = (body: unknown) => api.refusal(PATH, { token: api.operators.billing, body })
  expect(await as({ decision: lease.decision })).toBe('404 not_found')
  expect(await as({ decision: `dec_${'a'.repeat(20)}` })).toBe('404 not_found')
  expect(await as({ request: PLAIN })).toBe('403 forbidden')
  const task = await api.open()
  expect(await api.refusal(PATH, { token: task.token, body: { request: PLAIN } })).toBe(
    '403 forbidden',
  )
})

it('refuses what it cannot decide, with the place', async () => {
  const api = await testApi()
  const broken = [{ name: 'a.cedar', text: 'permit(' }]
  const { status, body } = await api.as('support', PATH, { request: PLAIN, policies: broken })
  expect([status, body.code]).toEqual([400, 'invalid_request'])
  expect(body.errors[0].path).toMatch(/a\.cedar/)
  for (const asked of [{}, { request: PLAIN, decision: 'dec_x' }, { request: { agent: {} } }]) {
    expect((await api.as('support', PATH, asked)).status).toBe(400)
  }
  const task = await api.open()
  await api.issue(task, { entitlement: 'invoices-read' })
  const [byRail] = (await api.as('support', 'GET /v1/decisions?outcome=deny')).body.items
  expect((await api.as('support', PATH, { decision: byRail.id })).status).toBe(400)
})

it('a simulation is refused after thirty in a minute', async () => {
  const api = await testApi()
  for (let n = 0; n < 30; n += 1) await api.as('support', PATH, { request: PLAIN })
  expect((await api.as('support', PATH, { request: PLAIN })).status).toBe(429)
  await api.advance(60_000)
  expect((await api.as('support', PATH, { request: PLAIN })).status).toBe(200)
})

it('P13: of proposed policies, which take a thread each, fewer are asked', async () => {
  const api = await testApi()
  const proposal = { request: PLAIN, policies: [{ name: 'p.cedar', text: 'not a policy' }] }
  const proposed = await Promise.all(
    Array.from({ length: 8 }, async () => (await api.as('support', PATH, proposal)).status),
  )
  expect(proposed.toSorted()).toEqual([400, 400, 400, 400, 400, 400, 429, 429])
  expect((await api.as('support', PATH, { request: PLAIN })).status).toBe(200)
})

it('replay lists which past decisions other policies would change, each tenant’s to its own', async () => {
  const api = await testApi()
  const task = await api.open()
  await api.issue(task)
  await api.issue(task, { entitlement: 'invoices-read' })
  const biller = await api.open({ intent: [INVOICE] }, { sub: 'biller' })
  await api.issue(biller, { entitlement: 'invoices-read' })
  const url = await served(api)
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-replay-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const replay = async (token: string, policies: readonly { name: string; text: string }[]) => {
    const folder = mkdtempSync(join(dir, 'set-'))
    mkdirSync(folder, { recursive: true })
    for (const { name, text } of policies) writeFileSync(join(folder, name), text)
    const args = ['--json', 'policy', 'replay', '--policies', folder, '--since', '9999d']
    const { code, stdout } = await mayfly(args, { MAYFLY_URL: url, MAYFLY_TOKEN: token })
    expect(code).toBe(0)
    return JSON.parse(stdout)
  }
  const same = await replay(api.operators.responder, starterPolicies())
  expect(same).toMatchObject({ replayed: 4, skipped: 1, changes: [] })
  const none = await replay(api.operators.responder, NOBODY)
  expect(none.changes).toHaveLength(4)
  expect(none.changes[0].would).toEqual({ outcome: 'deny', policies: ['none'] })
  const theirs = await replay(api.operators.billing, NOBODY)
  expect(
    theirs.changes.map((one: { decision: { tenant: string } }) => one.decision.tenant),
  ).toEqual(['billing', 'billing'])
})

/** The same house on a real port, for the real client. */
async function served({ app }: Api): Promise<string> {
  const answer = getRequestListener(app.fetch)
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}` // a TCP server has one
}
