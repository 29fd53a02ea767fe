import { describe, expect, it } from 'vitest'
import { behind, lasting } from '../fixture/behind.ts'
import { SUPPORT_SECRET } from '../fixture/broker.ts'
import { type Api, INVOICE, testApi } from '../fixture/http.ts'

const QUIET = { subject: { agent: 'biller' }, level: 'LOW', action: 'risk', reason: 'all is well' }

/** A house that received one signal, whose row was then damaged while it was down. */
async function damaged(
  damage: string,
  { source = 'siem', body = QUIET }: { source?: string; body?: unknown } = {},
): Promise<Api> {
  const place = lasting()
  const before = await testApi(place)
  const secret = source === 'siem' ? {} : { secret: SUPPORT_SECRET }
  const received = await before.call(`POST /v1/signals/${source}`, before.delivery(body, secret))
  expect(received.status, received.text).toBe(202)
  await before.store.close()
  behind(place, `update signals set ${damage}`)
  return await testApi({ ...place, issuer: before.issuer })
}

/** Whether agents of both tenants may open tasks and get credentials. */
async function served(api: Api): Promise<{ support: boolean; billing: boolean }> {
  const open = async (sub: string, intent: unknown[]) => {
    const token = await api.evidence({ sub })
    const body = { purpose: 'work', intent }
    const opened = await api.call('POST /v1/tasks', { token, body })
    if (opened.status === 201) return true
    expect(`${opened.status} ${opened.body.code}`).toBe('403 policy_denied')
    return false
  }
  const ticket = { ...INVOICE, identifier: 'tickets-read', locations: ['/tickets/4711/*'] }
  return { support: await open('robot', [ticket]), billing: await open('biller', [INVOICE]) }
}

describe('P3: a signal whose row is damaged', () => {
  it.each([
    ['its effect', "effective_json = '{'"],
    ['its effect, which names nobody', "effective_json = '[]'"],
    ['its effect, in a part', `effective_json = '[{"agent":"biller"},{"nobody":"x"}]'`],
    ['its effect, which is no text', "effective_json = x'00ff'"],
    ['its level', "level = 'QUITE'"],
    ['its expiry', "expires_at = 'soon'"],
    ['its counts', "matched_json = ''"],
    ['its subject', "subject_json = 'null'"],
  ])('in %s makes its subject HIGH and nobody else', async (_part, damage) => {
    expect(await served(await damaged(damage))).toEqual({ support: true, billing: false })
  })

  it('ends what its subject holds at the next renewal, and gives it nothing more', async () => {
    const place = lasting()
    const before = await testApi(place)
    const task = await before.open()
    const { lease } = (await before.issue(task)).body
    const body = { ...QUIET, subject: { agent: 'summariser' } }
    await before.call('POST /v1/signals/siem', before.delivery(body))
    await before.store.close()
    behind(place, "update signals set level = ''")
    const api = await testApi({ ...place, issuer: before.issuer })
    const asTask = { token: task.token, body: {} }
    expect(await api.refusal(`POST /v1/leases/${lease.id}/renew`, asTask)).toBe('403 policy_denied')
    expect(await api.store.leases.byId(lease.id)).toMatchObject({ state: 'ending' })
    expect((await api.issue(task)).body.code).toBe('policy_denied')
  })

  it('beyond its subject makes HIGH whom its source may name, and nobody else', async () => {
    const about = { source: 'siem-support', body: { ...QUIET, subject: { tenant: 'support' } } }
    const api = await damaged("effective_json = '', subject_json = ''", about)
    expect(await served(api)).toEqual({ support: false, billing: true })
  })

  it('beyond its subject, of a source that may name anybody, makes everybody HIGH', async () => {
    const api = await damaged("effective_json = '', subject_json = ''")
    expect(await served(api)).toEqual({ support: false, billing: false })
  })
})

describe('P13: a signal whose row is damaged', () => {
  it('is listed with the others, and counted', async () => {
    const api = await damaged("effective_json = '{', received_at = 'then', expires_at = 'soon'")
    await api.call('POST /v1/signals/siem', api.delivery({ ...QUIET, subject: { tenant: 'x' } }))
    const signals = (await api.as('admin', 'GET /v1/signals')).body.items
    expect(signals).toMatchObject([
      { unreadable: true, subject: { agent: 'biller' }, level: 'HIGH' },
      { subject: { tenant: 'x' } },
    ])
    expect(signals[1].unreadable).toBeUndefined()
    const risks = (await api.as('admin', 'GET /v1/risk')).body.items
    expect(risks.filter((risk: { unreadable?: true }) => risk.unreadable)).toMatchObject([
      { subject: { agent: 'biller' }, level: 'HIGH', source: 'siem' },
    ])
    expect((await api.call('GET /metrics')).text).toContain('mayfly_signals_unreadable 1')
  })

  it('P11: is shown to no operator of another tenant', async () => {
    const api = await damaged("effective_json = '', subject_json = ''")
    for (const list of ['signals', 'risk']) {
      expect((await api.as('support', `GET /v1/${list}`)).body.items).toEqual([])
    }
  })

  it('is answered when its message comes again', async () => {
    const place = lasting()
    const api = await testApi(place)
    const delivery = api.delivery(QUIET, { id: 'msg_again' })
    expect((await api.call('POST /v1/signals/siem', delivery)).status).toBe(202)
    await api.store.close()
    behind(place, "update signals set effective_json = '{'")
    const again = await testApi({ ...place, issuer: api.issuer })
    const answer = await again.call('POST /v1/signals/siem', delivery)
    expect([answer.status, answer.body.signal.unreadable]).toEqual([202, true])
  })
})
