import { describe, expect, it } from 'vitest'
import { lasting } from '../fixture/behind.ts'
import { type Doc, starterPolicies } from '../fixture/broker.ts'
import { type Api, type Opened, testApi } from '../fixture/http.ts'
import { ManualTime } from '../fixture/time.ts'

const DELETE = {
  type: 'fake',
  identifier: 'tickets-write',
  actions: ['delete'],
  locations: ['/tickets/1/*'],
}
const READ = { ...DELETE, actions: ['read'] }
const MINUTE = 60_000

/** The starter set, and that high impact needs nobody's yes. */
const PERMISSIVE = [
  ...starterPolicies(),
  {
    name: 'high-impact.cedar',
    text: `@id("high-impact") permit (principal is Mayfly::Agent,
      action == Mayfly::Action::"requestCredential", resource is Mayfly::Entitlement);`,
  },
]

async function house(options: Parameters<typeof testApi>[0] = {}): Promise<Api> {
  const change = (doc: Doc) => {
    doc.limits = { high_impact_per_hour_per_agent: 2 }
    doc.agents.push({
      ...doc.agents[0],
      id: 'other',
      match: { issuer: 'corp', claims: { sub: 'other' } },
    })
  }
  return await testApi({ policies: PERMISSIVE, change, ...options })
}

const opening = { intent: [DELETE, READ] }
const write = (api: Api, task: Opened, key?: string) =>
  api.issue(task, { entitlement: 'tickets-write', intent: [DELETE] }, key)

describe('an agent that acts faster than its supervisor', () => {
  it('gets no more high-impact credentials within an hour than the limit, in however many tasks', async () => {
    const api = await house()
    const task = await api.open(opening)
    expect((await write(api, task)).status).toBe(201)
    await api.advance(10 * MINUTE)
    const second = await write(api, task)
    expect(second.status).toBe(201)
    await api.call(`POST /v1/leases/${second.body.lease.id}/end`, { token: task.token, body: {} })
    const refused = await write(api, await api.open(opening))
    expect([refused.status, refused.body.code]).toEqual([429, 'limit_reached'])
    expect(refused.headers.get('retry-after')).toBe(String(50 * 60))
    expect(api.upstream.minted).toHaveLength(2)

    const denied = (await api.as('admin', 'GET /v1/decisions?outcome=deny')).body.items
    expect(denied).toMatchObject([
      {
        agent: 'summariser',
        rails: ['high-impact-pace'],
        reasons: [expect.stringMatching(/had 2 permits of high impact .* from 2027-01-15T13:00/)],
      },
    ])
    await api.advance(50 * MINUTE)
    expect((await write(api, await api.open(opening))).status).toBe(201)
    expect((await write(api, await api.open(opening))).headers.get('retry-after')).toBe('600')
  })

  it('is not slowed in what has no such impact, nor are others', async () => {
    const api = await house()
    const task = await api.open(opening)
    for (const _ of [1, 2]) await write(api, task)
    expect((await write(api, task)).status).toBe(429)
    const read = await api.issue(task, { entitlement: 'tickets-write', intent: [READ] })
    expect(read.status).toBe(201)
    expect((await write(api, await api.open(opening, { sub: 'other' }))).status).toBe(201)
  })

  it('may renew what it has', async () => {
    const api = await house()
    const task = await api.open(opening)
    const { lease } = (await write(api, task)).body
    await write(api, task)
    const renewed = await api.call(`POST /v1/leases/${lease.id}/renew`, {
      token: task.token,
      body: {},
    })
    expect(renewed.status).toBe(200)
  })

  it('does not get round it with one Idempotency-Key, nor with many requests at once', async () => {
    const api = await house()
    const task = await api.open(opening)
    expect((await write(api, task, '"k"')).status).toBe(201)
    expect((await write(api, task, '"k"')).status).toBe(201)
    expect((await write(api, task, '"k"')).status).toBe(429)
    const other = await api.open(opening, { sub: 'other' })
    const all = await Promise.all(Array.from({ length: 8 }, () => write(api, other)))
    expect(all.filter(({ status }) => status === 201)).toHaveLength(2)
  })

  it('is not charged for what the upstream refused', async () => {
    const api = await house()
    const task = await api.open(opening)
    api.upstream.mint = 'refuse'
    for (const _ of [1, 2, 3]) expect((await write(api, task)).body.code).toBe('upstream_refused')
    api.upstream.mint = 'ok'
    expect((await write(api, task)).status).toBe(201)
  })

  it('does not gain by a restart', async () => {
    const [place, time] = [lasting(), new ManualTime()]
    const before = await house({ ...place, time })
    const task = await before.open(opening)
    for (const _ of [1, 2]) await write(before, task)
    await before.store.close()
    const after = await house({ ...place, time, issuer: before.issuer })
    expect((await write(after, task)).status).toBe(429)
  })
})
