import { describe, expect, it } from 'vitest'
import { type Api, INVOICE, TICKET, testApi } from '../fixture/http.ts'

const ABSENT = 'a'.repeat(20)

/** The answer without what names the request: what must not differ between foreign and unknown. */
async function shape(api: Api, line: string, token: string, body?: unknown) {
  const { status, text, headers } = await api.call(line, {
    token,
    ...(body === undefined ? {} : { body }),
  })
  const names = [...headers.entries()].filter(([name]) => name !== 'x-request-id')
  return { status, text: text.replace(/req_[a-z2-7]{20}/, 'req'), headers: names }
}

/** Everything tenant support has, seen from outside of it. */
async function supportHouse() {
  const api = await testApi()
  const task = await api.open()
  const { lease } = (await api.issue(task, {}, 'shared-key')).body
  const agent = { selector: { agent: 'summariser' }, reason: 'drill' }
  const { kill } = (await api.as('support', 'POST /v1/kills', agent)).body
  const refused = (await api.issue(task, { entitlement: 'invoices-read' })).status
  expect(refused).toBe(404)
  const decisions = await api.as('support', 'GET /v1/decisions')
  const decision = decisions.body.items[0].id as string
  const biller = await api.open({ intent: [INVOICE] }, { sub: 'biller' })
  return { api, task, lease: lease.id as string, kill, decision, biller }
}

describe('P11: an id is not authority', () => {
  it.each([
    ['another tenant', [INVOICE], 'biller'],
    ['the same tenant', [TICKET], 'tweety'],
  ])(
    'P11: to a task of %s, everything of a task answers as if it were not there',
    async (_, intent, sub) => {
      const { api, task, lease } = await supportHouse()
      const stranger = await api.open({ intent }, { sub })
      const lines = (ids: { task: string; lease: string }): [string, unknown?][] => [
        [`GET /v1/tasks/${ids.task}`],
        [`POST /v1/tasks/${ids.task}/heartbeat`, {}],
        [`POST /v1/tasks/${ids.task}/end`, {}],
        [`GET /v1/tasks/${ids.task}/entitlements`],
        [`POST /v1/tasks/${ids.task}/credentials`, { entitlement: 'tickets-read' }],
        [`POST /v1/tasks/${ids.task}/delegations`, { agent: 'twin-2', intent }],
        [`GET /v1/leases/${ids.lease}`],
        [`GET /v1/leases/${ids.lease}/receipt`],
        [`POST /v1/leases/${ids.lease}/renew`, {}],
        [`POST /v1/leases/${ids.lease}/end`, {}],
      ]
      const unknown = lines({ task: `task_${ABSENT}`, lease: `lease_${ABSENT}` })
      const malformed = lines({ task: encodeURIComponent('../x'), lease: "';drop" })
      for (const [n, [line, body]] of lines({ task: task.id, lease }).entries()) {
        const foreign = await shape(api, line, stranger.token, body)
        expect(foreign.status, line).toBe(404)
        for (const [other = ''] of [unknown[n] ?? [], malformed[n] ?? []]) {
          expect(foreign, line).toEqual(await shape(api, other, stranger.token, body))
        }
      }
      expect((await api.store.tasks.byId(task.id as never))?.state).toBe('open')
      expect((await api.store.leases.byId(lease as never))?.cause).not.toBe('ended')
    },
  )

  it('P11: to an operator of another tenant too, in every reading and writing', async () => {
    const { api, task, lease, kill, decision } = await supportHouse()
    const lines = (ids: Record<string, string>): string[] => [
      `GET /v1/tasks/${ids.task}`,
      `POST /v1/tasks/${ids.task}/end`,
      `GET /v1/tasks/${ids.task}/entitlements`,
      `GET /v1/leases/${ids.lease}`,
      `POST /v1/leases/${ids.lease}/end`,
      `GET /v1/decisions/${ids.decision}`,
      `GET /v1/decisions/${ids.decision}/explanation`,
      `GET /v1/kills/${ids.kill}`,
      `GET /v1/kills/${ids.kill}/receipt`,
      `GET /v1/leases/${ids.lease}/receipt`,
      `DELETE /v1/blocks/${ids.block}`,
      `POST /v1/endings/${ids.lease}/retry`,
    ]
    const token = api.operators.billing
    const ids = { task: task.id, lease, decision, kill: kill.id, block: kill.block }
    const absent = Object.fromEntries(
      Object.entries(ids).map(([name, id]) => [name, id.replace(/_.*/, `_${ABSENT}`)]),
    )
    const unknown = lines(absent)
    for (const [n, line] of lines(ids).entries()) {
      const foreign = await shape(api, line, token)
      expect(foreign.status, line).toBe(404)
      expect(foreign, line).toEqual(await shape(api, unknown[n] ?? '', token))
    }
    expect((await api.store.kills.blockById(kill.block))?.liftedAt).toBeNull()
    expect((await api.store.tasks.byId(task.id as never))?.state).toBe('open')
  })

  it('P11: lists show an operator only their own tenants', async () => {
    const { api, biller } = await supportHouse()
    await api.issue(biller, { entitlement: 'invoices-read' })
    for (const [list, field] of LISTS) {
      const theirs = (await api.as('billing', `GET /v1/${list}`)).body.items
      expect(theirs.length, list).toBeGreaterThan(0)
      for (const item of theirs) expect([item[field]].flat(), list).toEqual(['billing'])
      const everyone = (await api.as('responder', `GET /v1/${list}`)).body.items
      const tenants = new Set(everyone.flatMap((item: Record<string, unknown>) => item[field]))
      expect(tenants, list).toEqual(new Set(['support', 'billing']))
    }
    for (const list of ['kills', 'blocks', 'endings', 'signals', 'risk']) {
      expect((await api.as('billing', `GET /v1/${list}`)).body.items, list).toEqual([])
    }
    expect((await api.as('support', 'GET /v1/blocks')).body.items).toHaveLength(1)
    expect((await api.as('support', 'GET /v1/kills')).body.items).toHaveLength(1)
  })

  it('P11: a filter or a cursor of another tenant opens nothing', async () => {
    const { api, task } = await supportHouse()
    await api.open({}, { sub: 'tweety' })
    const first = await api.as('support', 'GET /v1/tasks?limit=1')
    const cursor = first.body.next_cursor
    const theirs = await api.as('billing', `GET /v1/tasks?cursor=${cursor}`)
    expect(theirs.body.items.map((one: { tenant: string }) => one.tenant)).not.toContain('support')
    const trees = [`tree=${task.id}`, `parent=${task.id}`]
    for (const filter of ['tenant=support', 'agent=summariser', ...trees]) {
      expect((await api.as('billing', `GET /v1/tasks?${filter}`)).body.items).toEqual([])
    }
    expect((await api.as('billing', `GET /v1/leases?task=${task.id}`)).body.items).toEqual([])
  })

  it("P11: another tenant's idempotency key is just a new key", async () => {
    const { api, biller, lease } = await supportHouse()
    const theirs = await api.issue(biller, { entitlement: 'invoices-read' }, 'shared-key')
    expect(theirs.status).toBe(201)
    expect((await api.store.leases.byId(lease as never))?.cause).not.toBe('replaced')
  })

  it('P11: a kill reaches no further than the tenants of who ordered it', async () => {
    const { api, task, biller } = await supportHouse()
    const held = (await api.issue(biller, { entitlement: 'invoices-read' })).body.lease
    for (const selector of [{ all: true }, { lease: held.id }, { tenant: 'billing' }]) {
      const dry = await api.as('support', 'POST /v1/kills', {
        selector,
        reason: 'drill',
        dry_run: true,
      })
      expect(dry.body.kill.counts.leases, JSON.stringify(selector)).toBe('all' in selector ? 1 : 0)
      await api.as('support', 'POST /v1/kills', { selector, reason: 'drill' })
    }
    await api.advanceKills()
    expect((await api.store.leases.byId(held.id))?.state).toBe('active')
    expect((await api.issue(biller, { entitlement: 'invoices-read' })).status).toBe(201)
    expect((await api.store.tasks.byId(task.id as never))?.state).toBe('ended')
  })

  it('P11: a task token is no operator, an operator no task, an auditor no responder', async () => {
    const { api, task, lease } = await supportHouse()
    const forbidden: [string, string, unknown?][] = [
      ['GET /v1/leases', task.token],
      ['GET /v1/audit', task.token],
      ['POST /v1/kills', task.token, { selector: { all: true }, reason: 'x' }],
      [`POST /v1/leases/${lease}/renew`, api.operators.admin, {}],
      [`POST /v1/tasks/${task.id}/heartbeat`, api.operators.admin, {}],
      [
        `POST /v1/tasks/${task.id}/credentials`,
        api.operators.admin,
        { entitlement: 'tickets-read' },
      ],
      ['POST /v1/kills', api.operators.auditor, { selector: { all: true }, reason: 'x' }],
      [`POST /v1/tasks/${task.id}/end`, api.operators.auditor, {}],
      ['POST /v1/endings/retry', api.operators.auditor, {}],
      ['POST /v1/reload', api.operators.responder, {}],
      ['GET /v1/audit/head', api.operators.support],
      ['GET /v1/audit?full=true', api.operators.support],
    ]
    for (const [line, token, body] of forbidden) {
      const sent = body === undefined ? { token } : { token, body }
      expect(await api.refusal(line, sent), line).toBe('403 forbidden')
    }
  })

  it('an agent that shares an operator issuer is not an operator', async () => {
    const { refusal, evidence } = await testApi()
    expect(await refusal('GET /v1/leases', { token: await evidence() })).toBe('401 unauthenticated')
  })
})

const LISTS: readonly (readonly [string, string])[] = [
  ['tasks', 'tenant'],
  ['leases', 'tenant'],
  ['agents', 'tenant'],
  ['decisions', 'tenant'],
  ['entitlements', 'tenants'],
]
