import { describe, expect, it } from 'vitest'
import type { ApprovalWire } from '../../src/model/wire.ts'
import { type Approving, approvalHouse, DELETE } from '../fixture/approvals.ts'
import { starterPolicies } from '../fixture/broker.ts'

/** The types of a task's events, without those of its opening. */
async function events({ store }: Approving, task: { id: string }): Promise<string[]> {
  const all = await store.audit.read(0, 100, { task: task.id })
  return all.map(({ type }) => type).slice(1)
}

describe('an approval', () => {
  it('is asked for, given by an operator, and good for the identical request, once', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const approval = await api.pending(task)
    expect(approval).toMatchObject({
      id: expect.stringMatching(/^appr_[a-z2-7]{20}$/),
      state: 'pending',
      task: task.id,
      agent: 'summariser',
      tenant: 'support',
      entitlement: 'tickets-write',
      impact: ['destructive-write'],
      intent: [DELETE],
      ttl_seconds: 300,
    })
    expect(approval).not.toHaveProperty('review')
    expect(api.upstream.minted).toEqual([])

    const list = await api.as('approver', 'GET /v1/approvals?state=pending')
    expect(list.body.items).toMatchObject([
      {
        id: approval.id,
        scope: approval.scope,
        review: {
          agents_own_words: 'delete ticket 4711',
          workload: 'corp/robot',
          risk: { level: 'LOW' },
          policies: ['with-approval'],
          grant: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
      },
    ])
    const line = `POST /v1/approvals/${approval.id}/approve`
    const granted = await api.as('approver', line, { reason: 'ticket is closed' })
    expect(granted.status).toBe(200)
    expect(granted.body).toMatchObject({
      state: 'granted',
      review: { decided_by: 'operator:approver', reason: 'ticket is closed' },
    })

    const issued = await api.ask(task)
    expect(issued.status).toBe(201)
    expect(issued.body.lease).toMatchObject({ state: 'active', approval: approval.id })
    expect(await api.seen(task, approval.id)).toMatchObject({
      state: 'consumed',
      lease: issued.body.lease.id,
    })
    const decision = await api.as('admin', `GET /v1/decisions/${issued.body.lease.decision}`)
    expect(decision.body).toMatchObject({
      outcome: 'needs-approval',
      lease: issued.body.lease.id,
      policies: ['with-approval'],
      reasons: [`${approval.id} granted by operator:approver`],
    })
    expect(await events(api, task)).toEqual([
      'credential.refused',
      'approval.requested',
      'approval.granted',
      'approval.consumed',
      'lease.reserved',
      'lease.activated',
    ])
    const again = await api.pending(task)
    expect(again.id).not.toBe(approval.id)
  })

  it('is the same one while it is pending, however often the request is repeated', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const first = await api.pending(task)
    await api.advance(60_000)
    expect((await api.pending(task)).id).toBe(first.id)
    expect((await api.pending(task, { ttl_seconds: 300 })).id).toBe(first.id)
    expect(await events(api, task)).toEqual(['credential.refused', 'approval.requested'])
    expect((await api.as('admin', 'GET /v1/approvals')).body.items).toHaveLength(1)
  })

  it('P4: granted for one request is nothing to any other', async () => {
    const api = await approvalHouse({
      change: (doc) => {
        doc.entitlements[1].max_ttl = '15m'
        doc.approvals = { pending_per_agent: 100 }
      },
    })
    const task = await api.intend()
    const { id } = await api.pending(task)
    await api.as('approver', `POST /v1/approvals/${id}/approve`, {})
    const narrower = { intent: [{ ...DELETE, locations: ['/tickets/4711/mail'] }] }
    for (const other of [{ ttl_seconds: 301 }, { ttl_seconds: 299 }, narrower]) {
      expect((await api.pending(task, other)).id).not.toBe(id)
    }
    expect((await api.pending(await api.intend())).id).not.toBe(id)
    expect((await api.seen(task, id)).state).toBe('granted')
    expect(api.upstream.minted).toEqual([])
    expect((await api.ask(task)).status).toBe(201)
  })

  it('P4: outlives neither a change of the policies nor one of its entitlement', async () => {
    let more = 'when { context.depth > 8 }'
    const policies = () => [
      ...starterPolicies(),
      {
        name: 'more.cedar',
        text: `@id("more") permit(principal, action == Mayfly::Action::"openTask", resource) ${more};`,
      },
    ]
    const api = await approvalHouse({ policies })
    const task = await api.intend()
    const { id } = await api.pending(task)
    await api.as('approver', `POST /v1/approvals/${id}/approve`, {})
    more = 'when { context.depth > 9 }'
    api.reconfigure(() => {})
    const second = await api.pending(task)
    expect(second.id).not.toBe(id)
    await api.as('approver', `POST /v1/approvals/${second.id}/approve`, {})
    const third = await api.pending(task, { ttl_seconds: 60 })
    api.reconfigure((doc) => (doc.entitlements[1].target = { account: 'elsewhere' }))
    expect((await api.pending(task)).id).not.toBe(second.id)
    const stale = await api.as('approver', `POST /v1/approvals/${third.id}/approve`, {})
    expect(stale.status).toBe(409)
    expect(api.upstream.minted).toEqual([])
    await api.store.approvals.expireForeign({
      policyHash: api.broker.world().policy.hash,
      now: api.clock.now(),
      limit: 10,
    })
    expect(await api.seen(task, id)).toMatchObject({ state: 'expired', cause: 'policy' })
  })

  it('denied gives nothing, and keeps its agent from asking again for a while', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    const line = `POST /v1/approvals/${id}/deny`
    expect((await api.as('approver', line, {})).status).toBe(400)
    const denied = await api.as('approver', line, { reason: 'not now' })
    expect(denied.body).toMatchObject({ state: 'denied', review: { reason: 'not now' } })
    expect(await api.seen(task, id)).toMatchObject({ state: 'denied' })
    expect(JSON.stringify(await api.seen(task, id))).not.toContain('not now')
    const other = await api.intend()
    const refused = await api.ask(other, { ttl_seconds: 60 })
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('600')
    const decisions = await api.as('admin', `GET /v1/decisions?task=${other.id}`)
    expect(decisions.body.items[0].rails).toEqual(['approval-cool-down'])
    await api.advance(600_000)
    expect((await api.ask(other, { ttl_seconds: 60 })).status).toBe(202)
  })

  it('once granted can be taken back until it is used', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    await api.as('approver', `POST /v1/approvals/${id}/approve`, {})
    const reason = 'a mistake'
    const denied = await api.as('approver', `POST /v1/approvals/${id}/deny`, { reason })
    expect(denied.body.state).toBe('denied')
    expect((await api.ask(task)).status).toBe(429)
    expect(api.upstream.minted).toEqual([])
  })

  it('expires when nobody decides, and when nobody uses it', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const first = await api.pending(task)
    await api.advance(900_000)
    const late = await api.as('approver', `POST /v1/approvals/${first.id}/approve`, {})
    expect(late.status).toBe(409)
    expect(await api.seen(task, first.id)).toMatchObject({ state: 'expired', cause: 'time' })

    const second = await api.pending(task)
    await api.as('approver', `POST /v1/approvals/${second.id}/approve`, {})
    await api.advance(300_000)
    const third = await api.pending(task)
    expect(third.id).not.toBe(second.id)
    expect((await api.seen(task, second.id)).cause).toBe('time')
    expect(await events(api, task)).toEqual([
      'credential.refused',
      'approval.requested',
      'approval.expired',
      'credential.refused',
      'approval.requested',
      'approval.granted',
      'approval.expired',
      'credential.refused',
      'approval.requested',
    ])
  })

  it('is one of a few that an agent may have pending', async () => {
    const api = await approvalHouse({ change: (doc) => (doc.approvals = { pending_per_agent: 2 }) })
    const task = await api.intend()
    const { id } = await api.pending(task, { ttl_seconds: 10 })
    await api.pending(task, { ttl_seconds: 11 })
    const refused = await api.ask(await api.intend())
    expect(refused.body).toMatchObject({ status: 429, code: 'limit_reached' })
    expect((await api.ask(task, { ttl_seconds: 11 })).status).toBe(202)
    await api.as('approver', `POST /v1/approvals/${id}/approve`, {})
    expect((await api.ask(task)).status).toBe(202)
  })

  it('is one of so many an hour, however many tasks its agent opens and ends', async () => {
    const api = await approvalHouse({
      change: (doc) => (doc.approvals = { per_hour_per_agent: 3 }),
    })
    for (let n = 0; n < 3; n += 1) {
      const task = await api.intend()
      await api.pending(task)
      await api.key.call(`POST /v1/tasks/${task.id}/end`, task.token, { body: {} })
      await api.advance(60_000)
    }
    const task = await api.intend()
    const refused = await api.ask(task)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '3420'])
    const decisions = await api.as('admin', `GET /v1/decisions?task=${task.id}`)
    expect(decisions.body.items[0].rails).toEqual(['approval-pace'])
    await api.advance(3_420_000)
    expect((await api.ask(await api.intend())).status).toBe(202)
  })

  it('given for a lifetime is not for its renewal', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    await api.as('approver', `POST /v1/approvals/${id}/approve`, {})
    const { lease } = (await api.ask(task)).body
    const renewed = await api.key.call(`POST /v1/leases/${lease.id}/renew`, task.token, {})
    expect(renewed.body).toMatchObject({ code: 'policy_denied' })
    expect((await api.store.leases.byId(lease.id))?.state).toBe('active')
    expect(api.upstream.minted).toHaveLength(1)
  })

  it('is counted as what it is: neither permitted nor minted, and waiting for somebody', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    const counted = async () => (await api.call('GET /metrics')).text
    const asked = 'mayfly_decisions_total{action="requestCredential",outcome='
    expect(await counted()).toContain(`${asked}"needs-approval"} 1`)
    expect(await counted()).toContain('mayfly_approvals_pending 1')
    expect(await counted()).not.toContain('mayfly_mints_total{')
    await api.as('approver', `POST /v1/approvals/${id}/approve`, {})
    await api.ask(task)
    expect(await counted()).toContain(`${asked}"permit"} 1`)
    expect(await counted()).toContain('mayfly_approvals_pending 0')
    expect(await counted()).toContain('mayfly_mints_total{provider="upstream",outcome="minted"} 1')
  })

  it('P2: neither it nor what is told of it holds a secret', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    const shown = await api.as<ApprovalWire>('admin', `GET /v1/approvals/${id}`)
    expect(shown.text).not.toContain(task.token)
    expect(shown.headers.get('cache-control')).toBe('no-store')
  })
})
