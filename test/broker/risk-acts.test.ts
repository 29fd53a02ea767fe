import { describe, expect, it, vi } from 'vitest'
import type { LeaseId } from '../../src/ids.ts'
import { Enforcement } from '../../src/lifecycle/enforcement.ts'
import { alarm } from '../fixture/alarm.ts'
import { behind, lasting } from '../fixture/behind.ts'
import { starterPolicies } from '../fixture/broker.ts'
import { planningHouse } from '../fixture/delegation.ts'
import { ask, named } from '../fixture/gateway.ts'
import { type Api, INVOICE, OPENING, type Opened, testApi } from '../fixture/http.ts'
import { whileMinted } from '../fixture/while-minted.ts'

const held = async (api: Api, task: Opened): Promise<LeaseId> =>
  (await api.issue(task)).body.lease.id

const stored = async (api: Api, id: LeaseId) => {
  const lease = await api.store.leases.byId(id)
  return [lease?.state, lease?.cause]
}

const ENDED_BY_RISK = ['ending', 'risk']
const ACTIVE = ['active', null]

describe('P7: a raised risk', () => {
  it('ends what would now be refused, and nothing of others; the task lives and hears of it', async () => {
    const api = await testApi()
    const running = new Enforcement(api.broker)
    await running.sweep()
    const task = await api.open()
    const mine = await held(api, task)
    const biller = await api.open({ intent: [INVOICE] }, { sub: 'biller' })
    const invoice = await api.issue(biller, { entitlement: 'invoices-read' })
    await api.advance(1_000)
    await alarm(api, 'MEDIUM')
    await running.sweep()
    expect(await stored(api, mine)).toEqual(ENDED_BY_RISK)
    expect(await stored(api, invoice.body.lease.id)).toEqual(ACTIVE)

    const beat = await api.call(`POST /v1/tasks/${task.id}/heartbeat`, { token: task.token })
    expect(beat.body).toMatchObject({
      task: { state: 'open' },
      ended: [{ lease: mine, cause: 'risk' }],
    })
    const events = await api.store.audit.read(0, 500, { lease: mine })
    expect(events.at(-1)).toMatchObject({
      type: 'lease.ending',
      actor: 'mayfly',
      data: { cause: 'risk' },
    })
  })

  it('reaches whoever works for its subject, by agent, workload, task, tenant and issuer', async () => {
    for (const subject of ['agent', 'workload', 'task', 'tenant', 'issuer'] as const) {
      const api = await planningHouse()
      const running = new Enforcement(api.broker)
      await running.sweep()
      const planner = await api.open()
      const below = await held(api, await api.passOn(planner, 'reader'))
      const beside = await held(api, await api.open({}, { sub: 'fetcher' }))
      const name = {
        agent: 'summariser',
        workload: 'corp/robot',
        task: planner.id,
        tenant: 'support',
        issuer: 'corp',
      }[subject]
      await alarm(api, 'HIGH', { subject: { [subject]: name } })
      await running.sweep()
      expect(await stored(api, below), subject).toEqual(ENDED_BY_RISK)
      const other = ['tenant', 'issuer'].includes(subject) ? ENDED_BY_RISK : ACTIVE
      expect(await stored(api, beside), subject).toEqual(other)
    }
  })

  it('of an issuer is held against whoever it vouches for, also when a task is opened', async () => {
    const api = await testApi()
    await alarm(api, 'HIGH', { subject: { issuer: 'corp' }, action: 'risk' })
    const opening = { token: await api.evidence(), body: OPENING }
    expect(await api.refusal('POST /v1/tasks', opening)).toBe('403 policy_denied')
  })

  it('that rises again while leases are decided is acted on too', async () => {
    const api = await planningHouse()
    const running = new Enforcement(api.broker)
    await running.sweep()
    const mine = await held(api, await api.open())
    const other = await held(api, await api.open({}, { sub: 'fetcher' }))
    await alarm(api, 'MEDIUM')
    const enforcedWorld = api.store.enforcedWorld
    vi.spyOn(api.store, 'enforcedWorld').mockImplementationOnce(async () => {
      await alarm(api, 'MEDIUM', { subject: { agent: 'fetcher' } })
      return await enforcedWorld()
    })
    await running.sweep()
    expect(await stored(api, mine)).toEqual(ENDED_BY_RISK)
    expect(await stored(api, other)).toEqual(ENDED_BY_RISK)
  })

  it('does not end what is only held beside others: a lease does not count against itself', async () => {
    const text = `@id("few") forbid (principal, action == Mayfly::Action::"requestCredential", resource)
      when { context.task.activeLeases >= 2 };`
    const api = await testApi({ policies: [...starterPolicies(), { name: 'few.cedar', text }] })
    const running = new Enforcement(api.broker)
    await running.sweep()
    const task = await api.open()
    const both = [await held(api, task), await held(api, task)]
    expect((await api.issue(task)).status).toBe(403)
    await alarm(api, 'LOW')
    await running.sweep()
    for (const id of both) {
      expect(await stored(api, id)).toEqual(ACTIVE)
      const renewed = await api.call(`POST /v1/leases/${id}/renew`, { token: task.token, body: {} })
      expect(renewed.status, renewed.text).toBe(200)
    }
  })
})

describe('P7: after a crash', () => {
  it('a risk that was raised and not acted on is acted on at the start', async () => {
    const place = lasting()
    const before = await testApi(place)
    await new Enforcement(before.broker).sweep()
    const mine = await held(before, await before.open())
    await alarm(before, 'HIGH')
    await before.store.close()
    const api = await testApi({ ...place, issuer: before.issuer })
    expect(await stored(api, mine)).toEqual(ACTIVE)
    await new Enforcement(api.broker).sweep()
    expect(await stored(api, mine)).toEqual(ENDED_BY_RISK)
  })

  it('what it was cut off from is ended at the start, and a failing store only delays it', async () => {
    const api = await testApi()
    const running = new Enforcement(api.broker)
    await running.sweep()
    const task = await api.open()
    const all: LeaseId[] = []
    for (let n = 0; n < 8; n += 1) all.push(await held(api, task))
    await alarm(api, 'HIGH')
    const end = api.store.leases.end
    let ends = 0
    const failing = vi.spyOn(api.store.leases, 'end').mockImplementation(async (order) => {
      ends += 1
      if (ends > 3) throw new Error('the disk is full')
      return await end(order)
    })
    await expect(running.sweep()).rejects.toThrow('the disk is full')
    failing.mockRestore()
    await new Enforcement(api.broker).sweep()
    for (const id of all) expect(await stored(api, id)).toEqual(ENDED_BY_RISK)
  })

  it('nothing is decided again where nothing changed, also while it was down', async () => {
    const place = lasting()
    const before = await testApi(place)
    await alarm(before, 'MEDIUM', { subject: { agent: 'biller' } })
    await new Enforcement(before.broker).sweep()
    await before.store.close()
    const api = await testApi({ ...place, issuer: before.issuer })
    const decided = vi.spyOn(api.store.leases, 'activeClasses')
    const running = new Enforcement(api.broker)
    await running.sweep()
    expect(decided).not.toHaveBeenCalled()
    await alarm(api, 'MEDIUM')
    await running.sweep()
    expect(decided).not.toHaveBeenCalled()
  })

  it.each([
    "update leases set scope_json = '{' where id = '$'",
    "update leases set intent_json = '{}' where id = '$'",
    "update tasks set touched_json = '[' where id = (select task from leases where id = '$')",
  ])(
    'P13: one row that cannot be read is refused, and keeps no other from its end: %s',
    async (damage) => {
      const place = lasting()
      const before = await testApi(place)
      await new Enforcement(before.broker).sweep()
      const bad = await held(before, await before.open())
      const mine = await held(before, await before.open())
      await alarm(before, 'MEDIUM')
      await before.store.close()
      behind(place, damage.replace('$', bad))
      const api = await testApi({ ...place, issuer: before.issuer })
      await new Enforcement(api.broker).sweep()
      expect(await stored(api, mine)).toEqual(ENDED_BY_RISK)
      const { items } = (await api.as('admin', 'GET /v1/leases?state=ending')).body
      expect(items.map((one: { id: string; cause: string }) => [one.id, one.cause])).toContainEqual(
        [bad, 'risk'],
      )
    },
  )

  it('P3: a row damaged meanwhile counts as HIGH, and ends what its subject holds', async () => {
    const place = lasting()
    const before = await testApi(place)
    await alarm(before, 'LOW')
    await new Enforcement(before.broker).sweep()
    const mine = await held(before, await before.open())
    await before.store.close()
    behind(place, "update signals set level = 'QUITE'")
    const api = await testApi({ ...place, issuer: before.issuer })
    await new Enforcement(api.broker).sweep()
    expect(await stored(api, mine)).toEqual(ENDED_BY_RISK)
  })
})

describe('P8: what is in flight while the risk rises is not answered', () => {
  it('a mint', async () => {
    const api = await testApi()
    const task = await api.open()
    const answer = await whileMinted(
      api.upstream,
      () => api.issue(task),
      () => alarm(api, 'HIGH'),
    )
    expect([answer.status, answer.body.code]).toEqual([403, 'policy_denied'])
    expect(answer.text).not.toContain('canary-')
    const [lease] = (await api.as('admin', 'GET /v1/leases')).body.items
    expect(lease).toMatchObject({ state: 'ending', cause: 'risk' })
  })

  it('a mint whose reservation is ended before its upstream answers', async () => {
    const api = await testApi()
    const running = new Enforcement(api.broker)
    await running.sweep()
    const task = await api.open()
    const answer = await whileMinted(
      api.upstream,
      () => api.issue(task),
      async () => {
        await alarm(api, 'HIGH')
        await running.sweep()
      },
    )
    expect([answer.status, answer.body.code]).toEqual([409, 'lease_ended'])
    const [lease] = (await api.as('admin', 'GET /v1/leases')).body.items
    expect(lease).toMatchObject({ state: 'ending', cause: 'risk' })
  })

  it.each([false, true])('a renewal, where the upstream prolongs: %s', async (prolongs) => {
    const api = await testApi()
    api.upstream.prolongs = prolongs
    const task = await api.open()
    const mine = await held(api, task)
    const answer = await whileMinted(
      api.upstream,
      () => api.call(`POST /v1/leases/${mine}/renew`, { token: task.token, body: {} }),
      () => alarm(api, 'HIGH'),
    )
    expect([answer.status, answer.body.code]).toEqual([403, 'policy_denied'])
    expect(await stored(api, mine)).toEqual(ENDED_BY_RISK)
  })

  it('but what others are believed of costs nobody a credential', async () => {
    const api = await testApi()
    const task = await api.open()
    const asked = await whileMinted(
      api.upstream,
      () => api.issue(task),
      () => alarm(api, 'HIGH', { subject: { agent: 'biller' } }),
    )
    expect(asked.status).toBe(201)
  })

  it.each(['leases', 'acts'] as const)('what was decided before: %s', async (room) => {
    const api = await testApi()
    const task = await api.open()
    const mark = api.store.signals.riskMark
    vi.spyOn(api.store.signals, 'riskMark').mockImplementationOnce(async (now) => {
      const before = await mark(now)
      const risks = api.store.signals.risks
      // Decided on what was known before, committed after.
      const stale = await risks(now)
      vi.spyOn(api.store.signals, 'risks').mockImplementationOnce(async () => stale)
      await alarm(api, 'HIGH')
      return before
    })
    if (room === 'leases') {
      const answer = await api.issue(task)
      expect([answer.status, answer.body.code]).toEqual([403, 'policy_denied'])
      expect(api.upstream.minted).toEqual([])
      expect((await api.as('admin', 'GET /v1/leases')).body.items).toEqual([])
    } else {
      const { body } = await ask(api, { subject: named(task) })
      expect(body).toMatchObject({ decision: false, context: { reason: 'policy_denied' } })
    }
  })
})

it('P13: a kill is acknowledged while many leases are decided again', async () => {
  const api = await testApi({
    change: (doc) => {
      doc.limits = {
        active_leases_per_task: 1_000,
        active_leases_per_agent: 1_000,
        issues_per_minute_per_agent: 10_000,
      }
    },
  })
  const running = new Enforcement(api.broker)
  await running.sweep()
  const task = await api.open()
  const all = await Promise.all(Array.from({ length: 500 }, () => held(api, task)))
  const biller = await api.open({ intent: [INVOICE] }, { sub: 'biller' })
  const { lease } = (await api.issue(biller, { entitlement: 'invoices-read' })).body
  await alarm(api, 'HIGH')
  let over = false
  const sweeping = running.sweep().then(() => {
    over = true
  })
  const order = { selector: { agent: 'biller' }, reason: 'drill' }
  const killed = await api.as('responder', 'POST /v1/kills', order)
  expect([killed.status, over]).toEqual([202, false])
  await api.advanceKills()
  expect(await stored(api, lease.id)).toEqual(['ending', 'killed'])
  await sweeping
  for (const id of all) expect(await stored(api, id)).toEqual(ENDED_BY_RISK)
})
