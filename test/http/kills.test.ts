import { describe, expect, it } from 'vitest'
import { SUPPORT_SECRET } from '../fixture/broker.ts'
import { INVOICE, OPENING, testApi } from '../fixture/http.ts'
import { whileMinted } from '../fixture/while-minted.ts'

describe('a kill by an operator of one tenant', () => {
  it('says how far it and its block reach, to everybody who sees them', async () => {
    const { as, open, store } = await testApi()
    const order = { selector: { all: true }, reason: 'fire' }
    const within = { selector: { all: true }, tenants: ['billing'] }
    const dry = await as('billing', 'POST /v1/kills', { ...order, dry_run: true })
    expect(dry.body.kill).toMatchObject(within)
    const killed = await as('billing', 'POST /v1/kills', order)
    expect(killed.body.kill).toMatchObject(within)
    expect((await as('admin', 'GET /v1/kills')).body.items).toMatchObject([within])
    expect((await as('admin', 'GET /v1/blocks')).body.items).toMatchObject([within])
    const logged = (await store.audit.read(0, 100)).filter(({ data }) => 'selector' in data)
    expect(logged.map(({ type }) => type)).toEqual(['block.created', 'kill.ordered'])
    expect(logged.map(({ data }) => data)).toMatchObject([within, within])
    expect((await open()).token).toMatch(/^mft_/)
  })

  it('says nothing of tenants where it reaches all of them', async () => {
    const { as } = await testApi()
    const order = { selector: { agent: 'summariser' }, reason: 'fire' }
    expect((await as('responder', 'POST /v1/kills', order)).body.kill).not.toHaveProperty('tenants')
    expect((await as('admin', 'GET /v1/blocks')).body.items[0]).not.toHaveProperty('tenants')
  })
})

describe('P8: a kill is one call', () => {
  it('P8: what is being minted when a kill comes is not answered, and is ended', async () => {
    const { as, issue, open, upstream, store } = await testApi()
    const task = await open()
    const { status, text, body } = await whileMinted(
      upstream,
      () => issue(task),
      async () => {
        const killed = await as('responder', 'POST /v1/kills', {
          selector: { agent: 'summariser' },
          reason: 'compromised',
        })
        expect(killed.status).toBe(202)
      },
    )
    expect([status, body.code]).toEqual([403, 'blocked'])
    expect(text).not.toContain('canary')
    const [lease] = await store.leases.list({ tenants: null }, { limit: 9, after: undefined })
    expect(lease).toMatchObject({ state: 'ending', cause: 'killed', lane: 'kill' })
    expect(lease?.handle).not.toBeNull()
  })

  it('P8: a renewal in flight is not answered either', async () => {
    const { as, call, issue, open, upstream, store } = await testApi()
    const task = await open()
    const { lease } = (await issue(task)).body
    const { status, text, body } = await whileMinted(
      upstream,
      () => call(`POST /v1/leases/${lease.id}/renew`, { token: task.token, body: {} }),
      () => as('responder', 'POST /v1/kills', { selector: { lease: lease.id }, reason: 'leaked' }),
    )
    expect([status, body.code]).toEqual([403, 'blocked'])
    expect(text).not.toContain('canary')
    expect(await store.leases.byId(lease.id)).toMatchObject({ state: 'ending', cause: 'killed' })
  })

  it('P8: after it nothing is issued until the block is lifted', async () => {
    const { as, evidence, issue, open, refusal, advanceKills, store } = await testApi()
    const task = await open()
    const held = (await issue(task)).body.lease
    const selector = { agent: 'summariser' }
    const killed = await as('responder', 'POST /v1/kills', { selector, reason: 'compromised' })
    expect(killed.body.kill).toMatchObject({
      selector,
      ordered_by: 'operator:responder',
      dry_run: false,
      counts: { leases: 1, tasks: 1, agents: 1 },
    })
    expect((await issue(task)).body.code).toBe('task_ended')
    const token = await evidence()
    expect(await refusal('POST /v1/tasks', { token, body: OPENING })).toBe('403 blocked')

    await advanceKills()
    expect(await store.leases.byId(held.id)).toMatchObject({ state: 'ending', cause: 'killed' })
    expect(await store.tasks.byId(held.task)).toMatchObject({ state: 'ended', cause: 'killed' })
    const { id, block } = killed.body.kill
    const progress = await as('responder', `GET /v1/kills/${id}`)
    expect(progress.body.progress).toMatchObject({ pending: 1, proved: 0, remaining: 1 })

    const live = await as('responder', 'GET /v1/blocks')
    expect(live.body.items).toMatchObject([{ id: block, selector, reason: 'compromised' }])
    const lifted = await as('responder', `DELETE /v1/blocks/${block}`)
    expect(lifted.body).toMatchObject({ id: block, lifted_by: 'operator:responder' })
    expect((await as('responder', `DELETE /v1/blocks/${block}`)).body.code).toBe('conflict')
    expect((await as('responder', 'GET /v1/blocks')).body.items).toEqual([])
    expect((await as('responder', 'GET /v1/blocks?state=all')).body.items).toHaveLength(1)
    expect((await issue(await open())).status).toBe(201)
  })

  it('a kill of one lease or task blocks nothing more; block_seconds says otherwise', async () => {
    const { as, issue, open, advance } = await testApi()
    const task = await open()
    const { lease } = (await issue(task)).body
    const order = async (selector: object, overlay = {}) =>
      (await as('responder', 'POST /v1/kills', { selector, reason: 'drill', ...overlay })).body.kill
    expect((await order({ lease: lease.id })).block).toBeUndefined()
    expect((await issue(task)).status).toBe(201)
    expect((await order({ task: task.id })).block).toBeUndefined()
    expect((await issue(task)).body.code).toBe('task_ended')
    expect((await order({ tenant: 'support' }, { block_seconds: 0 })).block).toBeUndefined()
    await advance(1)
    expect((await issue(await open())).status).toBe(201)
    const part = { agent: 'summariser', entitlement: 'tickets-read' }
    expect((await order(part, { block_seconds: 60 })).block).toBeDefined()
    expect((await issue(await open())).body.code).toBe('blocked')
  })

  it('a block of some seconds ends by itself', async () => {
    const { as, open, refusal, evidence, advance } = await testApi()
    const body = { selector: { agent: 'summariser' }, reason: 'drill', block_seconds: 60 }
    await as('responder', 'POST /v1/kills', body)
    const token = await evidence()
    expect(await refusal('POST /v1/tasks', { token, body: OPENING })).toBe('403 blocked')
    await advance(60_000)
    await open()
  })

  it('a dry run counts and changes nothing', async () => {
    const { as, issue, open, store } = await testApi()
    const task = await open()
    await issue(task)
    const before = await store.audit.head()
    const dry = await as('responder', 'POST /v1/kills', {
      selector: { all: true },
      reason: 'drill',
      dry_run: true,
    })
    expect([dry.status, dry.body.kill.dry_run]).toEqual([200, true])
    expect(dry.body.kill.counts).toEqual({ leases: 1, tasks: 1, agents: 1 })
    expect(await store.audit.head()).toEqual(before)
    expect((await issue(task)).status).toBe(201)
  })
})

describe('signals', () => {
  const HIGH = { subject: { agent: 'summariser' }, level: 'HIGH', reason: 'exfiltration' }

  it('a signed HIGH signal kills and blocks; its repetition has no second effect', async () => {
    const { call, as, delivery, issue, open, store, evidence, refusal } = await testApi()
    const task = await open()
    await issue(task)
    const signed = delivery(HIGH, { id: 'msg-1' })
    const send = () => call('POST /v1/signals/siem', signed)
    const first = await send()
    expect(first.status).toBe(202)
    const { signal } = first.body
    expect(signal).toMatchObject({
      source: 'siem',
      message_id: 'msg-1',
      action: 'kill',
      matched: { leases: 1, tasks: 1, agents: 1 },
    })
    expect((await issue(task)).status).toBe(403)
    const events = (await store.audit.head()).seq
    const second = await send()
    expect([second.status, second.body.signal.id]).toEqual([202, signal.id])
    expect((await store.audit.head()).seq).toBe(events)
    expect((await as('responder', `GET /v1/kills/${signal.kill}`)).status).toBe(200)
    const [block] = (await as('responder', 'GET /v1/blocks')).body.items
    expect(block).toMatchObject({ created_by: 'source:siem', reason: 'exfiltration' })
    const token = await evidence()
    expect(await refusal('POST /v1/tasks', { token, body: OPENING })).toMatch(/^403/)
  })

  it('the same message id with another body is refused', async () => {
    const { app, delivery, as } = await testApi()
    for (const [reason, status] of [
      ['one', 202],
      ['two', 409],
    ] as const) {
      const signed = delivery({ ...HIGH, reason }, { id: 'msg-1' })
      const answer = await app.request('/v1/signals/siem', { method: 'POST', ...signed })
      expect(answer.status).toBe(status)
    }
    expect((await as('responder', 'GET /v1/signals')).body.items).toHaveLength(1)
  })

  it('a wrong signature, an old one and an unknown source get the same answer', async () => {
    const { call, delivery, advance, as } = await testApi()
    const signed = delivery(HIGH)
    const others = [
      ['siem', { ...signed, body: signed.body.replace('HIGH', 'LOW') }],
      ['nobody', signed],
      ['siem', delivery(HIGH, { secret: SUPPORT_SECRET })],
      ['siem', { body: signed.body, headers: {} }],
    ] as const
    const answers = []
    for (const [source, sent] of others)
      answers.push(await call(`POST /v1/signals/${source}`, sent))
    await advance(301_000)
    answers.push(await call('POST /v1/signals/siem', signed))
    for (const { status, text } of answers) {
      expect(status).toBe(401)
      expect(text.replace(/req_\w+/, '')).toBe(answers[0]?.text.replace(/req_\w+/, ''))
    }
    expect((await as('responder', 'GET /v1/signals')).body.items).toEqual([])
  })

  it('a source with a scope reaches nobody outside of it', async () => {
    const { app, as, delivery, open, issue } = await testApi()
    const biller = await open({ intent: [INVOICE] }, { sub: 'biller' })
    const send = async (body: object) => {
      const signed = delivery(body, { secret: SUPPORT_SECRET })
      const answer = await app.request('/v1/signals/siem-support', { method: 'POST', ...signed })
      return answer.status
    }
    expect(await send({ ...HIGH, subject: { tenant: 'billing' } })).toBe(403)
    expect(await send({ ...HIGH, subject: { all: true } })).toBe(403)
    expect(await send({ ...HIGH, subject: { agent: 'biller' } })).toBe(202)
    expect((await issue(biller, { entitlement: 'invoices-read' })).status).toBe(201)
    const { items } = (await as('auditor', 'GET /v1/audit')).body
    const refused = items.filter((event: { type: string }) => event.type === 'signal.refused')
    expect(refused).toHaveLength(2)
    expect(refused[0]).toMatchObject({ actor: 'source:siem-support' })
  })

  it('a signal that matches nothing is kept and visible; risk shows who is in trouble', async () => {
    const { app, as, delivery } = await testApi()
    const quiet = { subject: { agent: 'nobody' }, level: 'MEDIUM', reason: 'odd' }
    await app.request('/v1/signals/siem', { method: 'POST', ...delivery(quiet) })
    const risky = { ...quiet, subject: { agent: 'summariser' }, ttl_seconds: 60 }
    await app.request('/v1/signals/siem', { method: 'POST', ...delivery(risky) })
    const signals = (await as('responder', 'GET /v1/signals')).body.items
    expect(signals).toHaveLength(2)
    expect(signals[1].matched).toEqual({ leases: 0, tasks: 0, agents: 0 })
    const risks = (await as('responder', 'GET /v1/risk')).body.items
    expect(risks.map((risk: { level: string }) => risk.level)).toEqual(['MEDIUM', 'MEDIUM'])
    const agents = (await as('responder', 'GET /v1/agents')).body.items
    expect(agents[0]).toMatchObject({ id: 'summariser', risk: 'MEDIUM', blocked: false })
    expect((await as('support', 'GET /v1/risk')).body.items).toMatchObject([
      { subject: { agent: 'summariser' }, source: 'siem' },
    ])
  })

  it('the signature is over the bytes: a body that reads the same is another body', async () => {
    const { call, delivery } = await testApi()
    const signed = delivery(HIGH)
    const answer = await call('POST /v1/signals/siem', { ...signed, body: `${signed.body} ` })
    expect(answer.status).toBe(401)
  })
})
