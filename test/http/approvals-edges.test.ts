import { describe, expect, it } from 'vitest'
import { planReload } from '../../src/broker/reload.ts'
import { type Approving, approvalHouse, DELETE } from '../fixture/approvals.ts'
import { type Doc, starterPolicies } from '../fixture/broker.ts'
import { INVOICE, type Opened, TICKET } from '../fixture/http.ts'
import { KeyHolder } from '../fixture/key-holder.ts'
import { whileMinted } from '../fixture/while-minted.ts'

const approve = (api: Approving, id: string) =>
  api.as('approver', `POST /v1/approvals/${id}/approve`, {})

/** A pending approval and a granted one of another request of the same task. */
async function both(api: Approving, task: Opened) {
  const granted = await api.pending(task, { ttl_seconds: 100 })
  expect((await approve(api, granted.id)).status).toBe(200)
  const pending = await api.pending(task, { ttl_seconds: 200 })
  return { granted: granted.id, pending: pending.id }
}

async function storedOf(api: Approving, id: string) {
  const stored = await api.store.approvals.byId(id as never)
  return `${stored?.state} ${stored?.cause}`
}

const signal = (api: Approving, body: object) =>
  api.call('POST /v1/signals/siem', api.delivery({ reason: 'x', ...body }))
const kill = (api: Approving, selector: object, blockSeconds = 0) =>
  api.as('admin', 'POST /v1/kills', { selector, reason: 'x', block_seconds: blockSeconds })

describe('P8: what stops its subject voids an approval, granted or not', () => {
  it.each<[string, (api: Approving, task: Opened) => Promise<{ status: number }>, string]>([
    ['a kill of its agent', (api) => kill(api, { agent: 'summariser' }), 'killed'],
    ['a kill of its task', (api, { id }) => kill(api, { task: id }), 'killed'],
    ['a kill of its entitlement', (api) => kill(api, { entitlement: 'tickets-write' }), 'killed'],
    ['a kill with a block', (api) => kill(api, { tenant: 'support' }, 60), 'killed'],
    ['a kill of everything', (api) => kill(api, { all: true }), 'killed'],
    [
      'a signal',
      (api) => signal(api, { subject: { agent: 'summariser' }, level: 'HIGH' }),
      'signal',
    ],
    [
      'a block by signal',
      (api) => signal(api, { subject: { workload: 'corp/robot' }, action: 'block' }),
      'signal',
    ],
    [
      'HIGH risk that kills nothing',
      (api) => signal(api, { subject: { tenant: 'support' }, level: 'HIGH', action: 'risk' }),
      'risk',
    ],
    [
      'the end of its task',
      (api, { id, token }) => api.key.call(`POST /v1/tasks/${id}/end`, token, { body: {} }),
      'task-ended',
    ],
  ])('%s', async (_, stop, cause) => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { granted, pending } = await both(api, task)
    expect((await stop(api, task)).status).toBeLessThan(300)
    for (const id of [granted, pending]) expect(await storedOf(api, id)).toBe(`expired ${cause}`)
    expect((await approve(api, pending)).status).toBe(409)
    expect((await api.ask(task, { ttl_seconds: 100 })).status).not.toBe(201)
    expect(api.upstream.minted).toEqual([])
  })

  it('and nobody else’s', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { granted, pending } = await both(api, task)
    await kill(api, { agent: 'biller' })
    await kill(api, { entitlement: 'tickets-read' })
    await kill(api, { lease: `lease_${'a'.repeat(20)}` })
    await api.as('billing', 'POST /v1/kills', { selector: { all: true }, reason: 'x' })
    await signal(api, { subject: { agent: 'summariser' }, level: 'MEDIUM' })
    expect(await storedOf(api, granted)).toBe('granted null')
    expect(await storedOf(api, pending)).toBe('pending null')
    expect((await api.ask(task, { ttl_seconds: 100 })).status).toBe(201)
  })

  it('whichever of a yes and a kill comes first, nothing is issued afterwards', async () => {
    for (const order of ['yes first', 'kill first']) {
      const api = await approvalHouse()
      const task = await api.intend()
      const { id } = await api.pending(task)
      const yes = () => approve(api, id)
      const no = () => kill(api, { agent: 'summariser' })
      const racing = order === 'yes first' ? [yes(), no()] : [no(), yes()]
      await Promise.all([...racing, api.ask(task), api.ask(task)])
      expect(await storedOf(api, id)).not.toContain('granted')
      await api.advanceKills()
      for (const lease of (await api.as('admin', 'GET /v1/leases')).body.items) {
        expect(lease.state).not.toBe('active')
      }
      expect((await api.ask(task)).status).toBe(409)
    }
  })
})

describe('an approval', () => {
  it('approved twice at once is granted once, and tells the second by whom', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    const line = `POST /v1/approvals/${id}/approve`
    const answers = await Promise.all([api.as('approver', line, {}), api.as('admin', line, {})])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409])
    const second = answers.find(({ status }) => status === 409)
    expect(second?.body.detail).toMatch(/granted already by operator:(approver|admin)/)
    const events = await api.store.audit.read(0, 100, { task: task.id })
    expect(events.filter(({ type }) => type === 'approval.granted')).toHaveLength(1)
    const reason = { reason: 'late' }
    await api.ask(task)
    const used = await api.as('approver', `POST /v1/approvals/${id}/deny`, reason)
    expect([used.status, used.body.code]).toEqual([409, 'conflict'])
  })

  it('is used by exactly one of two identical requests at once', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    await approve(api, id)
    await api.key.learnNonce()
    const answers = await Promise.all([api.ask(task), api.ask(task)])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 202])
    expect(answers.find(({ status }) => status === 202)?.body.approval.id).not.toBe(id)
    expect(api.upstream.minted).toHaveLength(1)
    expect((await api.as('admin', 'GET /v1/leases')).body.items).toHaveLength(1)
  })

  it('P9: of a keyed request is used once; a retry of the key needs another and ends nothing', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const key = { 'idempotency-key': '"once"' }
    const first = await api.ask(task, {}, key)
    expect(first.status).toBe(202)
    await approve(api, first.body.approval.id)
    const issued = await api.ask(task, {}, key)
    expect(issued.status).toBe(201)
    expect((await api.ask(task, { ttl_seconds: 60 }, key)).status).toBe(422)
    const retried = await api.ask(task, {}, key)
    expect(retried.status).toBe(202)
    expect((await api.store.leases.byId(issued.body.lease.id))?.state).toBe('active')
    await approve(api, retried.body.approval.id)
    expect((await api.ask(task, {}, key)).status).toBe(201)
    expect(await api.store.leases.byId(issued.body.lease.id)).toMatchObject({ cause: 'replaced' })
  })

  it('is not asked for where a rail refuses anyway', async () => {
    const api = await approvalHouse({
      change: (doc) => (doc.limits = { active_leases_per_task: 1 }),
    })
    const task = await api.intend()
    expect((await api.ask(task, { entitlement: 'tickets-read' })).status).toBe(201)
    expect((await api.ask(task)).body.code).toBe('limit_reached')
    const wide = { intent: [{ ...DELETE, locations: ['/tickets/*'] }] }
    expect((await api.ask(task, wide)).body.code).toBe('intent_exceeded')
    expect((await api.as('admin', 'GET /v1/approvals')).body.items).toEqual([])
  })

  it('is not offered to a bearer of a token', async () => {
    const api = await approvalHouse()
    const task = await api.open({ intent: [DELETE] })
    const refused = await api.issue(task, { entitlement: 'tickets-write' })
    expect(refused.body.code).toBe('policy_denied')
    expect((await api.as('admin', 'GET /v1/approvals')).body.items).toEqual([])
  })

  it('P7: keeps its lease through a reload that still wants one, and not through one that forbids', async () => {
    let extra = ''
    const policies = () => [...starterPolicies(), { name: 'more.cedar', text: extra }]
    const api = await approvalHouse({ policies })
    const task = await api.intend()
    await approve(api, (await api.pending(task)).id)
    const { lease } = (await api.ask(task)).body
    extra = '@id("more") permit(principal == Mayfly::Agent::"x", action, resource);'
    api.reconfigure(() => {})
    expect((await planReload(api.broker, api.broker.world())).leases).toEqual([])
    extra =
      '@id("more") forbid(principal, action, resource == Mayfly::Entitlement::"tickets-write");'
    api.reconfigure(() => {})
    const { leases } = await planReload(api.broker, api.broker.world())
    expect(leases).toMatchObject([{ lease: { id: lease.id }, cause: 'policy' }])
  })

  it('P7: granted under one world is not answered under another that makes more of it', async () => {
    for (const [change, status] of [
      [(doc: Doc) => (doc.limits = { open_tasks_per_agent: 51 }), 201],
      [(doc: Doc) => (doc.entitlements[1].zone = 'elsewhere'), 403],
    ] as const) {
      const api = await approvalHouse()
      const task = await api.intend()
      await approve(api, (await api.pending(task)).id)
      const asked = await whileMinted(
        api.upstream,
        () => api.ask(task),
        () => api.reconfigure(change),
      )
      expect(asked.status).toBe(status)
    }
  })
})

describe('P11: an approval id is not authority', () => {
  it('P11: to other tasks and tenants it answers as if it were not there', async () => {
    const api = await approvalHouse()
    const { id } = await api.pending(await api.intend())
    const neighbour = await api.open({ intent: [TICKET] }, { sub: 'tweety' })
    const stranger = await api.open({ intent: [INVOICE] }, { sub: 'biller' })
    const absent = `appr_${'a'.repeat(20)}`
    const shape = async (line: string, token: string, body?: object) => {
      const sent = body === undefined ? { token } : { token, body }
      const { status, text, headers } = await api.call(line, sent)
      const named = [...headers.entries()].filter(([name]) => name !== 'x-request-id')
      return { status, text: text.replace(/req_\w+/, 'req'), named }
    }
    const { billing, billingApprover } = api.operators
    const lines: [string, string, object?][] = [
      ...[neighbour.token, stranger.token, billing, billingApprover].flatMap(
        (token): [string, string][] => [
          ['GET /v1/approvals/ID', token],
          ['GET /v1/approvals/ID?wait_seconds=30', token],
          ['GET /v1/approvals/ID/events', token],
        ],
      ),
      ['POST /v1/approvals/ID/approve', billingApprover, {}],
      ['POST /v1/approvals/ID/deny', billingApprover, { reason: 'x' }],
    ]
    for (const [line, token, body] of lines) {
      const foreign = await shape(line.replace('ID', id), token, body)
      expect(foreign.status, line).toBe(404)
      expect(foreign, line).toEqual(await shape(line.replace('ID', absent), token, body))
      expect(foreign, line).toEqual(await shape(line.replace('ID', "';drop"), token, body))
    }
    expect((await api.as('billingApprover', 'GET /v1/approvals')).body.items).toEqual([])
    expect(await storedOf(api, id)).toBe('pending null')
  })

  it('P11: only whom the policies let approve decides, and no task does', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    for (const who of ['support', 'supportAuditor', 'responder', 'auditor'] as const) {
      expect((await api.as(who, `GET /v1/approvals/${id}`)).status, who).toBe(200)
      for (const line of [`POST /v1/approvals/${id}/approve`, `POST /v1/approvals/${id}/deny`]) {
        const body = { reason: 'x' }
        expect((await api.as(who, line, body)).body.code, who).toBe('forbidden')
      }
    }
    const line = `POST /v1/approvals/${id}/approve`
    expect((await api.key.call(line, task.token, { body: {} })).body.code).toBe('forbidden')
    expect(await storedOf(api, id)).toBe('pending null')
  })
})

describe('nobody says yes to themselves', () => {
  const operators = (doc: Doc) => {
    doc.operators.push(
      {
        name: 'robots',
        roles: ['approver'],
        tenants: ['support'],
        match: { issuer: 'corp', claims: { sub: 'rob*' } },
      },
      {
        name: 'people',
        roles: ['approver'],
        tenants: ['support'],
        match: { issuer: 'corp', claims: { sub: 'alice' } },
      },
    )
    doc.agents[0].owner = 'Alice@example.com'
  }

  it.each([
    ['with the workload’s own evidence', { sub: 'robot' }],
    ['with evidence of what its match also fits', { sub: 'robina' }],
    ['as the owner of the agent', { sub: 'alice', email: 'alice@example.com' }],
  ])('%s', async (_, claims) => {
    const api = await approvalHouse({ change: operators })
    const task = await api.intend()
    const { id } = await api.pending(task)
    const token = await api.evidence(claims)
    const answer = await api.call(`POST /v1/approvals/${id}/approve`, { token, body: {} })
    expect([answer.status, answer.body.code]).toEqual([403, 'forbidden'])
    expect(await storedOf(api, id)).toBe('pending null')
    const body = { reason: 'rather not' }
    const denied = await api.call(`POST /v1/approvals/${id}/deny`, { token, body })
    expect(denied.body.state).toBe('denied')
  })

  it('somebody else with the same role may', async () => {
    const api = await approvalHouse({ change: operators })
    const { id } = await api.pending(await api.intend())
    const token = await api.evidence({ sub: 'alice', email: 'carol@example.com' })
    const answer = await api.call(`POST /v1/approvals/${id}/approve`, { token, body: {} })
    expect(answer.body).toMatchObject({ state: 'granted' })
  })

  it('by the operator’s name as owner', async () => {
    const api = await approvalHouse({ change: (doc) => (doc.agents[0].owner = 'approver') })
    const { id } = await api.pending(await api.intend())
    expect((await approve(api, id)).body.code).toBe('forbidden')
    const admin = await api.as('admin', `POST /v1/approvals/${id}/approve`, {})
    expect(admin.status).toBe(200)
  })
})

describe('P4: an approval of delegated work', () => {
  const match = { issuer: 'corp', claims: { sub: 'fetcher' } }
  const change = (doc: Doc) => {
    doc.agents.push({ id: 'fetcher', tenant: 'support', owner: 'fetcher@example.com', match })
  }
  const policies = [
    ...starterPolicies(),
    {
      name: 'delegate.cedar',
      text: '@id("delegate-all") permit(principal, action == Mayfly::Action::"delegate", resource);',
    },
  ]

  async function delegated() {
    const api = await approvalHouse({ change, policies })
    const planner = await api.intend()
    const passed = await api.key.call(`POST /v1/tasks/${planner.id}/delegations`, planner.token, {
      body: { agent: 'fetcher', intent: [DELETE] },
    })
    const hand = await KeyHolder.of(api)
    const opening = { intent: [DELETE], delegation: passed.body.token }
    const executor = await hand.open(opening, { sub: 'fetcher' })
    const ask = () =>
      hand.call(`POST /v1/tasks/${executor.id}/credentials`, executor.token, {
        body: { entitlement: 'tickets-write' },
      })
    return { api, planner, executor, ask }
  }

  it('shows the chain, covers it, and is good for that executor', async () => {
    const { api, planner, ask } = await delegated()
    const { approval } = (await ask()).body
    expect(approval).toMatchObject({
      agent: 'fetcher',
      act: { sub: 'fetcher', act: { sub: 'summariser', task: planner.id } },
    })
    await approve(api, approval.id)
    expect((await api.ask(planner)).status).toBe(202)
    expect((await ask()).status).toBe(201)
  })

  it('is void when the planner is killed, and not for its owner to give', async () => {
    const { api, planner, ask } = await delegated()
    const { approval } = (await ask()).body
    api.reconfigure((doc) => (doc.agents[0].owner = 'approver'))
    expect((await approve(api, approval.id)).body.code).toBe('forbidden')
    await kill(api, { task: planner.id })
    expect(await storedOf(api, approval.id)).toBe('expired killed')
  })
})
