import { expect, it } from 'vitest'
import { ChainVerifier } from '../../src/audit/verify.ts'
import type { AuditEventWire, PageWire } from '../../src/model/wire.ts'
import { type Api, INVOICE, TICKET, testApi } from '../fixture/http.ts'

async function chain({ as }: Api): Promise<AuditEventWire[]> {
  const events: AuditEventWire[] = []
  let query = '?limit=3&full=true'
  for (;;) {
    const page = await as<PageWire<AuditEventWire>>('auditor', `GET /v1/audit${query}`)
    events.push(...page.body.items)
    if (page.body.next_cursor === null) return events
    query = `?limit=3&full=true&cursor=${page.body.next_cursor}`
  }
}

it('P12: every state change has its event, and the chain read over the API verifies', async () => {
  const api = await testApi()
  const { call, open, issue, as, upstream, advanceKills, app, delivery } = api
  const task = await open()
  const { lease } = (await issue(task)).body
  await call(`POST /v1/leases/${lease.id}/renew`, { token: task.token, body: {} })
  await issue(task, { intent: [{ ...TICKET, locations: ['/tickets/*'] }] })
  upstream.mint = 'refuse'
  await issue(task)
  upstream.mint = 'unknown'
  await issue(task)
  upstream.mint = 'ok'
  await call(`POST /v1/leases/${lease.id}/end`, { token: task.token, body: {} })
  const order = { selector: { agent: 'summariser' }, reason: 'drill' }
  const { kill } = (await as('responder', 'POST /v1/kills', order)).body
  await advanceKills()
  await as('responder', `DELETE /v1/blocks/${kill.block}`)
  await as('responder', 'POST /v1/endings/retry', {})
  const signal = { subject: { agent: 'nobody' }, level: 'MEDIUM', reason: 'odd' }
  await app.request('/v1/signals/siem', { method: 'POST', ...delivery(signal) })

  const events = await chain(api)
  expect(events.map((event) => event.type)).toEqual([
    'task.opened',
    'lease.reserved',
    'lease.activated',
    'lease.renewing',
    'lease.renewed',
    'credential.refused',
    'lease.reserved',
    'lease.failed',
    'lease.reserved',
    'lease.ending',
    'lease.ending',
    'block.created',
    'kill.ordered',
    'task.ended',
    'block.lifted',
    'ending.retried',
    'signal.received',
    'risk.changed',
  ])
  const verifier = new ChainVerifier()
  for (const event of events) verifier.add(event)
  const head = (await as('auditor', 'GET /v1/audit/head')).body
  expect(verifier.result()).toMatchObject({ ok: true, events: events.length, head: head.hash })

  const [first, second, ...rest] = events
  const tampered = new ChainVerifier()
  for (const event of [first, { ...second, actor: 'mayfly' }, ...rest]) {
    if (event) tampered.add(event as AuditEventWire)
  }
  expect(tampered.result().ok).toBe(false)
})

it('P12: heartbeats and unauthenticated refusals write nothing', async () => {
  const { call, open, refusal, evidence, store } = await testApi()
  const task = await open({ heartbeat_seconds: 30 })
  const before = await store.audit.head()
  await call(`POST /v1/tasks/${task.id}/heartbeat`, { token: task.token, body: {} })
  const expired = await evidence({ exp: 1 })
  for (const token of ['junk', `mft_${'x'.repeat(43)}`, `mfo_${'x'.repeat(43)}`, expired]) {
    expect(await refusal('GET /v1/leases', { token })).toBe('401 unauthenticated')
    const body = { purpose: 'x', intent: [TICKET] }
    expect(await refusal('POST /v1/tasks', { token, body })).toBe('401 unauthenticated')
  }
  expect(await store.audit.head()).toEqual(before)
  const metrics = await call('GET /metrics')
  expect(metrics.text).toMatch(/mayfly_refusals_total\{code="unauthenticated"\} 8/)
})

it('an operator of one tenant reads its events alone, and is told so', async () => {
  const { as, open } = await testApi()
  await open()
  await open({ intent: [INVOICE] }, { sub: 'biller' })
  const { body } = await as('supportAuditor', 'GET /v1/audit')
  expect(body.filtered_to_tenants).toEqual(['support'])
  expect(body.items.map((event: AuditEventWire) => event.tenant)).toEqual(['support'])
  expect((await as('auditor', 'GET /v1/audit')).body.filtered_to_tenants).toBeUndefined()
})
