import { describe, expect, it } from 'vitest'
import { lasting } from '../fixture/behind.ts'
import { type Doc, starterPolicies } from '../fixture/broker.ts'
import { planningHouse } from '../fixture/delegation.ts'
import { ask, DELETE, named, READ, shown, verdict, WRITING } from '../fixture/gateway.ts'
import { type Api, INVOICE, type Opened, TICKET, testApi } from '../fixture/http.ts'
import { KeyHolder } from '../fixture/key-holder.ts'
import { ManualTime } from '../fixture/time.ts'

const MINUTE = 60_000

/** The starter set, and that high impact needs nobody's yes. */
const PERMISSIVE = [
  ...starterPolicies(),
  {
    name: 'high-impact.cedar',
    text: `@id("any-credential") permit (principal is Mayfly::Agent,
      action == Mayfly::Action::"requestCredential", resource is Mayfly::Entitlement);
      @id("any-act") permit (principal is Mayfly::Agent,
      action == Mayfly::Action::"act", resource is Mayfly::Resource);`,
  },
]
const twoAnHour = (doc: Doc) => {
  doc.limits = { high_impact_per_hour_per_agent: 2 }
}
const issueDelete = (api: Api, task: Opened) => api.issue(task, { entitlement: 'tickets-write' })

describe('an agent that destroys faster than its supervisor', () => {
  it('is stopped at action time by the same count as for its credentials', async () => {
    const api = await testApi({ policies: PERMISSIVE, change: twoAnHour })
    const task = await api.open(WRITING)
    expect((await issueDelete(api, task)).status).toBe(201)
    await api.advance(10 * MINUTE)
    expect(await verdict(api, { subject: named(task), ...DELETE })).toBe(true)
    const { body } = await ask(api, { subject: named(await api.open(WRITING)), ...DELETE })
    expect(body).toEqual({
      decision: false,
      context: {
        reason: 'limit_reached',
        evaluation_id: expect.any(String),
        retry_after: 50 * 60,
      },
    })
    const why = await api.as('admin', `GET /v1/decisions/${body.context.evaluation_id}`)
    expect(why.body.rails).toEqual(['high-impact-pace'])
    expect(await verdict(api, { subject: named(task) }), 'reading goes on').toBe(true)
    expect((await issueDelete(api, task)).status, 'credentials count them too').toBe(429)
    await api.advance(50 * MINUTE)
    expect(await verdict(api, { subject: named(await api.open(WRITING)), ...DELETE })).toBe(true)
  })

  it('is not faster by asking at once, nor by a restart', async () => {
    const [place, time] = [lasting(), new ManualTime()]
    const options = { ...place, time, policies: PERMISSIVE, change: twoAnHour }
    const before = await testApi(options)
    const subject = named(await before.open(WRITING))
    const asked = [1, 2, 3, 4].map(() => verdict(before, { subject, ...DELETE }))
    const told = await Promise.all(asked)
    expect(told.filter((one) => one === true)).toHaveLength(2)
    await before.store.close()
    const after = await testApi({ ...options, issuer: before.issuer })
    expect(await verdict(after, { subject, ...DELETE })).toBe('limit_reached')
  })
})

describe('a run of refusals', () => {
  const riskOf = async (api: Api) => (await api.as('admin', 'GET /v1/risk')).body.items
  const outside = { action: { name: 'delete' } }

  it('raises the risk of the task that showed its token, once an hour', async () => {
    const api = await testApi()
    const task = await api.open()
    for (let n = 0; n < 9; n += 1) await ask(api, { subject: shown(task), ...outside })
    expect(await riskOf(api)).toEqual([])
    for (let n = 0; n < 5; n += 1) await ask(api, { subject: shown(task), ...outside })
    expect(await riskOf(api)).toMatchObject([
      { subject: { task: task.id, tenant: 'support' }, level: 'MEDIUM', source: 'mayfly' },
    ])
    expect((await api.issue(task)).status).not.toBe(201)
    expect((await api.issue(await api.open())).status).toBe(201)
  })

  it('of a task that was only named, of a stranger or of another tenant raises nobody’s', async () => {
    const api = await testApi()
    const task = await api.open()
    const body = { subject: shown(task), ...READ, ...outside }
    for (let n = 0; n < 15; n += 1) {
      await ask(api, { subject: named(task), ...outside })
      await ask(api, { subject: shown(task), ...outside }, 'billingTools')
      await api.call('POST /access/v1/evaluation', { body })
      await api.call('POST /access/v1/evaluation', { token: `mfg_${'x'.repeat(43)}`, body })
    }
    expect(await riskOf(api)).toEqual([])
    expect((await api.issue(task)).status).toBe(201)
  })

  it('says nothing of what ended or could not be answered', async () => {
    const api = await testApi()
    const task = await api.open()
    await api.call(`POST /v1/tasks/${task.id}/end`, { token: task.token, body: {} })
    for (let n = 0; n < 15; n += 1) await ask(api, { subject: shown(task) })
    expect(await riskOf(api)).toEqual([])
  })
})

describe('work that was passed on', () => {
  it('P4: may be done only while everybody it came through may do it', async () => {
    const api = await planningHouse({
      policies: [
        ...starterPolicies(),
        {
          name: 'no-fetching.cedar',
          text: `@id("no-fetching") forbid (principal == Mayfly::Agent::"fetcher",
            action == Mayfly::Action::"act", resource);`,
        },
      ],
    })
    const planner = await api.open()
    const reader = await api.passOn(planner, 'reader')
    const throughFetcher = await api.passOn(await api.passOn(planner, 'fetcher'), 'indexer')
    expect(await verdict(api, { subject: named(reader) })).toBe(true)
    const { body } = await ask(api, { subject: named(throughFetcher) })
    expect(body.context.reason).toBe('policy_denied')
    const why = await api.as('admin', `GET /v1/decisions/${body.context.evaluation_id}/explanation`)
    expect(why.body.decision.policies).toEqual(['no-fetching'])
    expect(why.body.inputs.map((one: { agent: { id: string } }) => one.agent.id)).toEqual([
      'indexer',
      'fetcher',
      'summariser',
    ])
    await api.call(`POST /v1/tasks/${planner.id}/end`, { token: planner.token, body: {} })
    expect(await verdict(api, { subject: named(reader) })).toBe('task_ended')
  })

  it('P4: counts against the pace of who passed it on', async () => {
    const policies = [
      ...PERMISSIVE,
      {
        name: 'delegate.cedar',
        text: `@id("any-delegation") permit (principal is Mayfly::Agent,
          action == Mayfly::Action::"delegate", resource is Mayfly::Agent);`,
      },
    ]
    const api = await planningHouse({ policies, change: twoAnHour })
    const planner = await api.open(WRITING)
    for (const agent of ['reader', 'fetcher']) {
      const subject = named(await api.passOn(planner, agent, WRITING))
      expect(await verdict(api, { subject, ...DELETE })).toBe(true)
    }
    const third = named(await api.passOn(planner, 'indexer', WRITING))
    expect(await verdict(api, { subject: third, ...DELETE })).toBe('limit_reached')
    expect(await verdict(api, { subject: named(planner), ...DELETE })).toBe('limit_reached')
  })
})

describe('what a task touches by acting', () => {
  const ZONES = ['restricted', 'external'] as const
  const zoned = (doc: Doc) => {
    for (const zone of ZONES) {
      const ceiling = [{ type: 'fake', actions: ['read'], locations: ['/tickets/*'] }]
      const more = { tenants: ['support'], provider: 'upstream', target: { account: zone } }
      doc.entitlements.push({ id: zone, zone, ceiling, ...more })
    }
  }
  const intent = ZONES.map((identifier) => ({ ...TICKET, identifier }))
  const via = (entitlement: string) => ({
    resource: { ...READ.resource, properties: { entitlement } },
  })

  it('stays with it: what is restricted does not meet what is external', async () => {
    const api = await testApi({ change: zoned })
    const task = await api.open({ intent })
    const subject = named(task)
    expect(await verdict(api, { subject, ...via('restricted') })).toBe(true)
    expect(await verdict(api, { subject, ...via('external') })).toBe('policy_denied')
    expect((await api.issue(task, { entitlement: 'external' })).status).toBe(403)
    expect((await api.issue(task, { entitlement: 'restricted' })).status).toBe(201)
  })

  it('also where both are asked for at once', async () => {
    const api = await testApi({ change: zoned })
    const subject = named(await api.open({ intent }))
    const both = ZONES.map((zone) => verdict(api, { subject, ...via(zone) }))
    expect((await Promise.all(both)).toSorted()).toEqual(['policy_denied', true])
  })

  it('P3: where several entitlements cover it, all must allow it', async () => {
    const api = await testApi({ change: zoned })
    const subject = named(await api.open({ intent: [...intent, TICKET] }))
    expect(await verdict(api, { subject, ...via('external') })).toBe(true)
    expect(await verdict(api, { subject, ...via('tickets-read') })).toBe(true)
    expect(await verdict(api, { subject })).toBe('policy_denied')
  })
})

it('P3: what is configured no more is refused: the entitlement, the agent', async () => {
  const api = await testApi()
  const subject = named(await api.open())
  expect(await verdict(api, { subject })).toBe(true)
  api.reconfigure((doc) => {
    doc.entitlements = doc.entitlements.filter((one: { id: string }) => one.id !== 'tickets-read')
  })
  expect(await verdict(api, { subject })).toBe('outside_intent')
  const biller = named(await api.open({ intent: [INVOICE] }, { sub: 'biller' }))
  const resource = { type: 'fake', id: '/invoices/1/a' }
  expect(await verdict(api, { subject: biller, resource }, 'wide')).toBe(true)
  api.reconfigure((doc) => {
    doc.agents[1].id = 'biller-2'
  })
  expect(await verdict(api, { subject: biller, resource }, 'wide')).toBe('policy_denied')
})

it('P5: nothing is permitted while nobody knows what time it is', async () => {
  const time = new ManualTime()
  const api = await testApi({ time })
  const subject = named(await api.open())
  time.stepWall(3 * 365 * 86_400_000)
  expect(await verdict(api, { subject })).toBe('unavailable')
  time.stepWall(-3 * 365 * 86_400_000)
  expect(await verdict(api, { subject })).toBe(true)
})

it('P2: a shown token is kept nowhere, not even as its hash', async () => {
  const api = await testApi()
  const holder = await KeyHolder.of(api)
  const task = await holder.open()
  const subject = shown(task)
  const { body } = await ask(api, { subject })
  const kept = await api.as('admin', `GET /v1/decisions/${body.context.evaluation_id}?inputs=true`)
  const events = await api.as('admin', `GET /v1/audit?task=${task.id}`)
  const told = [kept.text, events.text, JSON.stringify(api.logged)].join('\n')
  expect(told).not.toContain(subject.id)
  expect(told).not.toContain(task.token)
})
