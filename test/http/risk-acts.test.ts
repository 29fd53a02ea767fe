import { describe, expect, it } from 'vitest'
import { Enforcement } from '../../src/lifecycle/enforcement.ts'
import { alarm } from '../fixture/alarm.ts'
import { approvalHouse } from '../fixture/approvals.ts'
import { behind, lasting } from '../fixture/behind.ts'
import { named, verdict } from '../fixture/gateway.ts'
import { type Api, testApi } from '../fixture/http.ts'

const ABSENT = `sig_${'a'.repeat(20)}`
const MINUTE = 60_000
const ABOUT_ALL = { subject: { tenant: 'support' } }

async function levels(api: Api): Promise<string[]> {
  const { items } = (await api.as('admin', 'GET /v1/risk')).body
  return items.map((one: { level: string }) => one.level)
}

const clear = (api: Api, operator: Parameters<Api['as']>[0], ...signals: string[]) =>
  api.as(operator, 'POST /v1/risk/clear', { signals, reason: 'a drill of the red team' })

describe('a risk', () => {
  it('refuses at once what it forbids, and lifts by itself; nothing that ended comes back', async () => {
    const api = await testApi()
    const running = new Enforcement(api.broker)
    await running.sweep()
    const task = await api.open({ ttl_seconds: 7_200 })
    const { lease } = (await api.issue(task, { ttl_seconds: 900 })).body
    await alarm(api, 'HIGH', { ttl_seconds: 300 })
    expect((await api.issue(task)).status).toBe(403)
    expect(await verdict(api, { subject: named(task) })).toBe('policy_denied')
    await running.sweep()

    await api.advance(5 * MINUTE)
    await running.sweep()
    expect(await levels(api)).toEqual([])
    expect(await verdict(api, { subject: named(task) })).toBe(true)
    expect((await api.issue(task)).status).toBe(201)
    expect(await api.store.leases.byId(lease.id)).toMatchObject({ state: 'ending', cause: 'risk' })
  })

  it('is lowered only by the source that raised it', async () => {
    const api = await testApi()
    const task = await api.open()
    await alarm(api, 'HIGH')
    await alarm(api, 'LOW', { source: 'siem-support' })
    expect((await api.issue(task)).status).toBe(403)
    await alarm(api, 'LOW')
    expect((await api.issue(task)).status).toBe(201)
  })

  it('of MEDIUM ends what would take a yes by now, but not what somebody said yes to', async () => {
    const api = await approvalHouse()
    const running = new Enforcement(api.broker)
    await running.sweep()
    const task = await api.intend()
    const read = { body: { entitlement: 'tickets-read' } }
    const reading = await api.key.call(`POST /v1/tasks/${task.id}/credentials`, task.token, read)
    const { id } = await api.pending(task)
    await api.as('approver', `POST /v1/approvals/${id}/approve`, {})
    const deleting = await api.ask(task)
    expect([reading.status, deleting.status]).toEqual([201, 201])
    const causes = () =>
      Promise.all(
        [reading, deleting].map(
          async ({ body }) => (await api.store.leases.byId(body.lease.id))?.cause,
        ),
      )
    await alarm(api, 'MEDIUM')
    await running.sweep()
    expect(await causes()).toEqual(['risk', null])
    await alarm(api, 'HIGH')
    await running.sweep()
    expect(await causes()).toEqual(['risk', 'risk'])
  })
})

describe('what a message would do', () => {
  it('is told of a risk, too: just those leases that policies end under it, and no task', async () => {
    const api = await approvalHouse()
    const running = new Enforcement(api.broker)
    await running.sweep()
    const task = await api.intend()
    const read = { body: { entitlement: 'tickets-read' } }
    await api.key.call(`POST /v1/tasks/${task.id}/credentials`, task.token, read)
    const { id } = await api.pending(task)
    await api.as('approver', `POST /v1/approvals/${id}/approve`, {})
    await api.ask(task)
    const would = async (level: string, subject: object = { agent: 'summariser' }) => {
      const body = { subject, level, action: 'risk', reason: 'odd' }
      return (await api.as('admin', 'POST /v1/signals/siem/test', body)).body.matched
    }
    expect(await would('LOW')).toEqual({ leases: 0, tasks: 0, agents: 0 })
    expect(await would('MEDIUM')).toEqual({ leases: 1, tasks: 0, agents: 1 })
    expect(await would('HIGH')).toEqual({ leases: 2, tasks: 0, agents: 1 })
    expect(await would('HIGH', { agent: 'biller' })).toEqual({ leases: 0, tasks: 0, agents: 0 })
    await running.sweep()
    expect(await levels(api)).toEqual([])
    const ended = async () =>
      (await api.as('admin', 'GET /v1/leases')).body.items.filter(
        (lease: { cause?: string }) => lease.cause === 'risk',
      ).length
    expect(await ended()).toBe(0)
    await alarm(api, 'MEDIUM')
    await running.sweep()
    expect(await ended()).toBe(1)
  })
})

describe('clearing a risk', () => {
  it('is an operator’s word against one signal, kept with its reason', async () => {
    const api = await testApi()
    const task = await api.open()
    const [high, medium] = [await alarm(api, 'HIGH'), await alarm(api, 'MEDIUM', ABOUT_ALL)]
    const { status, body } = await clear(api, 'responder', high)
    expect([status, body]).toEqual([
      200,
      { cleared: [expect.objectContaining({ signal: high, level: 'HIGH', source: 'siem' })] },
    ])
    expect(await levels(api)).toEqual(['MEDIUM'])
    expect((await clear(api, 'responder', medium)).status).toBe(200)
    expect((await api.issue(task)).status).toBe(201)
    const events = await api.store.audit.read(0, 500)
    expect(events.filter(({ data }) => 'cleared' in data)).toMatchObject(
      [high, medium].map((signal) => ({
        type: 'risk.changed',
        actor: 'operator:responder',
        data: { signal, cleared: true, reason: 'a drill of the red team' },
      })),
    )
  })

  it('brings back no lease, lifts no block, and does not silence its source', async () => {
    const api = await testApi()
    const running = new Enforcement(api.broker)
    await running.sweep()
    const task = await api.open()
    const { lease } = (await api.issue(task)).body
    const body = { subject: { agent: 'summariser' }, level: 'HIGH', reason: 'odd', action: 'block' }
    const delivery = api.delivery(body)
    const { signal } = (await api.call('POST /v1/signals/siem', delivery)).body
    await running.sweep()
    await clear(api, 'responder', signal.id)
    await running.sweep()
    expect((await api.store.leases.byId(lease.id))?.cause).toBe('risk')
    expect((await api.issue(task)).body.code).toBe('blocked')
    // The same message again is no news; another one is.
    expect((await api.call('POST /v1/signals/siem', delivery)).status).toBe(202)
    expect(await levels(api)).toEqual([])
    await alarm(api, 'HIGH')
    expect(await levels(api)).toEqual(['HIGH'])
  })

  it('P11: of another tenant is answered like one that was never there; all or none', async () => {
    const api = await testApi()
    const mine = await alarm(api, 'HIGH')
    const theirs = await alarm(api, 'HIGH', { subject: { agent: 'biller' } })
    const everybodys = await alarm(api, 'MEDIUM', { subject: { all: true } })
    const shape = ({ status, text }: { status: number; text: string }) =>
      `${status} ${text.replace(/req_[a-z2-7]{20}/, 'req')}`
    const unknown = shape(await clear(api, 'support', ABSENT))
    expect(unknown).toContain('404')
    for (const ids of [[theirs], [everybodys], [mine, theirs], ["';drop"]]) {
      expect(shape(await clear(api, 'support', ...ids))).toBe(unknown)
    }
    expect((await levels(api)).length).toBeGreaterThanOrEqual(2)
    expect((await clear(api, 'support', mine)).status).toBe(200)
    // Gone is gone.
    expect(shape(await clear(api, 'support', mine))).toBe(unknown)
  })

  it.each(['auditor', 'supportAuditor', 'approver'] as const)('is not for %s', async (operator) => {
    const api = await testApi()
    const signal = await alarm(api, 'HIGH')
    expect((await clear(api, operator, signal)).status).toBe(403)
    expect(await levels(api)).toEqual(['HIGH'])
  })

  it.each([
    [{ signals: [], reason: 'x' }],
    [{ signals: ['sig_a'] }],
    [{ signals: ['sig_a'], reason: 'x', all: true }],
    [{ signals: ['sig_a'], reason: 'to‮day' }],
  ])('is refused where %j leaves something open', async (body) => {
    const api = await testApi()
    expect((await api.as('admin', 'POST /v1/risk/clear', body)).status).toBe(400)
  })

  it('P3: is also the way out of a signal that cannot be read any more', async () => {
    const place = lasting()
    const before = await testApi(place)
    const signal = await alarm(before, 'LOW')
    await before.store.close()
    behind(place, "update signals set effective_json = '', subject_json = '', level = '?'")
    const api = await testApi({ ...place, issuer: before.issuer })
    await expect(api.open()).rejects.toThrow('policy_denied')
    expect((await clear(api, 'support', signal)).status).toBe(404)
    expect((await clear(api, 'responder', signal)).status).toBe(200)
    expect((await api.issue(await api.open())).status).toBe(201)
  })
})
