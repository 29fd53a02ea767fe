import { expect, it } from 'vitest'
import { ShadowPolicies } from '../../src/broker/shadow.ts'
import { loadPolicies } from '../../src/policy/engine.ts'
import type { PolicySource } from '../../src/policy/policy-set.ts'
import { starterPolicies } from '../fixture/broker.ts'
import { type Api, INVOICE, testApi } from '../fixture/http.ts'

const NO_TICKETS = {
  name: 'stricter.cedar',
  text: `@id("no-tickets") forbid(principal, action in [Mayfly::Action::"requestCredential",
    Mayfly::Action::"requestCredentialWithApproval"],
    resource == Mayfly::Entitlement::"tickets-read");`,
}

function shadowOf(sources: readonly PolicySource[]): ShadowPolicies {
  const load = loadPolicies(sources)
  if (!load.ok) throw new Error(JSON.stringify(load.problems))
  return new ShadowPolicies({ hash: load.engine.hash, sources })
}

async function shadowed(sources: readonly PolicySource[]) {
  const shadow = shadowOf(sources)
  return { shadow, api: await testApi({ shadow }) }
}

const differing = async (api: Api, as: 'responder' | 'billing' | 'support') =>
  (await api.as(as, 'GET /v1/decisions?shadow_differs=true')).body.items

it('shadow policies are recorded where they differ, and never enforced', async () => {
  const { api, shadow } = await shadowed([...starterPolicies(), NO_TICKETS])
  const task = await api.open()
  const issued = await api.issue(task)
  expect(issued.status).toBe(201)
  const { lease } = issued.body
  expect((await api.issue(task, { entitlement: 'invoices-read' })).status).toBe(404)
  await shadow.settled()

  const items = await differing(api, 'support')
  expect(items).toHaveLength(1)
  expect(items[0]).toMatchObject({
    id: lease.decision,
    outcome: 'permit',
    shadow: { outcome: 'deny', policies: ['no-tickets'], policy_hash: shadow.hash },
  })
  const { body } = await api.as('support', `GET /v1/decisions/${lease.decision}/explanation`)
  expect(body.decision.shadow.outcome).toBe('deny')
  expect((await api.as('support', 'GET /v1/decisions')).body.items).toHaveLength(3)
  expect((await api.store.leases.byId(lease.id))?.state).toBe('active')
})

it('P11: what shadow policies say of other tenants is not shown', async () => {
  const { api, shadow } = await shadowed([NO_TICKETS])
  await api.issue(await api.open())
  const biller = await api.open({ intent: [INVOICE] }, { sub: 'biller' })
  await api.issue(biller, { entitlement: 'invoices-read' })
  await shadow.settled()
  expect(await differing(api, 'responder')).toHaveLength(4)
  const theirs = await differing(api, 'billing')
  expect(theirs.map((one: { tenant: string }) => one.tenant)).toEqual(['billing', 'billing'])
})

it('claims reach shadow policies although the decision does not repeat them', async () => {
  const byClaim = `@id("robots") permit(principal is Mayfly::Agent, action, resource)
    when { context has workload && context.workload.hasTag("sub") &&
           context.workload.getTag("sub") == "robot" };`
  const { api, shadow } = await shadowed([{ name: 'a.cedar', text: byClaim }])
  await api.issue(await api.open())
  await shadow.settled()
  expect(await differing(api, 'responder')).toEqual([])
})

it('nothing that goes wrong with shadow policies reaches a request', async () => {
  const broken = [{ name: 'a.cedar', text: 'permit(' }]
  const shadow = new ShadowPolicies({ hash: 'f'.repeat(64), sources: broken })
  const api = await testApi({ shadow })
  expect((await api.issue(await api.open())).status).toBe(201)
  await shadow.settled()
  expect(await differing(api, 'responder')).toEqual([])

  const { api: other, shadow: closing } = await shadowed([NO_TICKETS])
  const task = await other.open()
  await closing.close()
  expect((await other.issue(task)).status).toBe(201)
})

it('what cannot be recorded is said in the log and harms nothing', async () => {
  const { api, shadow } = await shadowed([NO_TICKETS])
  const task = await api.open()
  await shadow.settled()
  const full = { ...api.store.decisions, noteShadow: () => Promise.reject(new Error('disk full')) }
  const broker = { ...api.broker, store: { ...api.store, decisions: full } }
  const [decision] = await api.store.decisions.list(
    { tenants: null },
    { limit: 1, after: undefined },
  )
  if (!decision) throw new Error('no decision')
  const { agent, tenant } = decision
  shadow.note(broker, { ...decision, outcome: 'permit' }, [
    {
      action: 'openTask',
      agent: { id: agent, tenant, owner: 'o' },
      workload: { name: 'corp/robot', issuer: 'corp', proof: 'bearer', claims: {} },
      risk: { level: 'LOW', reasons: [] },
      ttlSeconds: 60,
      depth: 0,
      now: 0,
    },
  ])
  await shadow.settled()
  expect(api.logged.map(({ message }) => message)).toContain('shadow policies were not asked')
  expect((await api.issue(task)).status).toBe(201)
  await shadow.settled()
  expect((await differing(api, 'responder')).length).toBeGreaterThan(0)
})

it('more than can be asked is left out, not waited for', async () => {
  const { api, shadow } = await shadowed([NO_TICKETS])
  await api.open()
  await shadow.settled()
  const [decision] = await api.store.decisions.list(
    { tenants: null },
    { limit: 1, after: undefined },
  )
  if (!decision) throw new Error('no decision')
  const question = {
    action: 'openTask',
    agent: { id: 'summariser', tenant: 'support', owner: 'o' },
    workload: { name: 'corp/robot', issuer: 'corp', proof: 'bearer', claims: {} },
    risk: { level: 'LOW', reasons: [] },
    ttlSeconds: 60,
    depth: 0,
    now: 0,
  } as const
  const permitted = { ...decision, outcome: 'deny' } as const
  for (let n = 0; n < 2_100; n += 1) shadow.note(api.broker, permitted, [question])
  await shadow.settled()
  const said = api.logged.find(({ message }) => message === 'shadow policies could not keep up')
  expect(said?.skipped).toBe(100)
})
