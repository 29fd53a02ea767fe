import { describe, expect, it, onTestFinished } from 'vitest'
import { testBroker } from '../fixture/broker.ts'
import { type Planning, planningHouse } from '../fixture/delegation.ts'
import { INVOICE, type Opened, TICKET } from '../fixture/http.ts'
import { SecretSearch } from '../secret-search.ts'

const UNKNOWN = `mfd_${'A'.repeat(43)}`
const WIDE = { ...TICKET, locations: ['/tickets/*'] }

/** What the operator reads of the last refusal. */
async function lastDecision(api: Planning) {
  const events = await api.store.audit.read(0, 1_000)
  const refused = events.findLast(({ type }) => type.endsWith('.refused'))
  return (await api.as('auditor', `GET /v1/decisions/${refused?.data.decision}`)).body
}

async function delegationsOf(api: Planning, { id }: Opened) {
  const events = await api.store.audit.read(0, 1_000, { task: id })
  return events.filter(({ type }) => type === 'delegation.created').length
}

describe('a delegation is refused', () => {
  const cases: [string, object, string, string, string][] = [
    ['P11: to an agent nobody knows', { agent: 'nobody' }, '404', 'not_found', 'executor'],
    [
      'P11: to an agent of another tenant alike',
      { agent: 'biller' },
      '404',
      'not_found',
      'executor',
    ],
    ['P4: wider than the task', { intent: [WIDE] }, '403', 'intent_exceeded', 'intent'],
    [
      'P4: as a whole when one item of it is wider',
      { intent: [TICKET, { ...TICKET, actions: ['list'] }] },
      '403',
      'intent_exceeded',
      'intent',
    ],
    [
      'P4: about what the task said nothing of',
      { intent: [{ ...TICKET, identifier: 'tickets-write' }] },
      '403',
      'intent_exceeded',
      'intent',
    ],
    [
      'P4: about an entitlement of another tenant',
      { intent: [INVOICE] },
      '400',
      'invalid_intent',
      'intent-form',
    ],
  ]
  it.each(cases)('%s, and it is recorded why', async (_, overlay, status, code, rail) => {
    const api = await planningHouse()
    const planner = await api.open()
    const refused = await api.delegate(planner, 'reader', overlay)
    expect([String(refused.status), refused.body.code]).toEqual([status, code])
    expect(refused.text).not.toMatch(/biller|billing/)
    expect(await lastDecision(api)).toMatchObject({
      action: 'delegate',
      outcome: 'deny',
      rails: [rail],
      task: planner.id,
    })
    expect(await delegationsOf(api, planner)).toBe(0)
    const types = (await api.store.audit.read(0, 100, { task: planner.id })).map((e) => e.type)
    expect(types).toContain('delegation.refused')
  })

  it('P3: where no policy permits it, which the agent is told with the decision’s id alone', async () => {
    const api = await planningHouse()
    const purge = { ...TICKET, identifier: 'tickets-write', actions: ['delete'] }
    const planner = await api.open({ intent: [TICKET, purge] })
    const refused = await api.delegate(planner, 'reader', { intent: [purge] })
    const { id, policies } = await lastDecision(api)
    expect([refused.status, refused.body.code]).toEqual([403, 'policy_denied'])
    expect(refused.body.detail).toBe(`no policy permits this delegation (decision ${id})`)
    expect(policies).toEqual([])
    expect((await api.delegate(planner, 'reader')).status).toBe(201)
  })

  it('P3: with a field nobody knows, a bad intent or another task’s token', async () => {
    const api = await planningHouse()
    const [planner, other] = [await api.open(), await api.open()]
    for (const overlay of [{ depth: 9 }, { intent: [] }, { ttl_seconds: 0 }, { agent: '' }]) {
      expect((await api.delegate(planner, 'reader', overlay)).body.code).toBe('invalid_request')
    }
    const foreign = await api.delegate({ id: planner.id, token: other.token }, 'reader')
    const unknown = await api.delegate(
      { id: `task_${'a'.repeat(20)}`, token: other.token },
      'reader',
    )
    expect([foreign.status, foreign.body.code]).toEqual([404, 'not_found'])
    expect(foreign.body.detail).toBe(unknown.body.detail)
    const line = `POST /v1/tasks/${planner.id}/delegations`
    const body = { agent: 'reader', intent: [TICKET] }
    expect(await api.refusal(line, { token: api.operators.admin, body })).toBe('403 forbidden')
  })

  it('past the depth, the number of one task, and the size of a tree', async () => {
    const limits = { delegation_max_depth: 2, delegations_per_task: 2, tasks_per_tree: 3 }
    const api = await planningHouse({ change: (doc) => Object.assign(doc, { limits }) })
    const root = await api.open()
    const middle = await api.passOn(root, 'reader')
    const leaf = await api.passOn(middle, 'fetcher')
    const deeper = await api.delegate(leaf, 'indexer')
    expect([deeper.status, deeper.body.code]).toEqual([429, 'limit_reached'])
    expect(await lastDecision(api)).toMatchObject({ rails: ['depth'] })

    await api.passOn(root, 'indexer')
    expect((await api.delegate(root, 'printer')).body.code).toBe('limit_reached')
    expect(await lastDecision(api)).toMatchObject({ rails: ['delegations'] })

    const { token } = (await api.delegate(middle, 'printer')).body
    expect((await api.take(token, 'printer')).body.code).toBe('limit_reached')
    expect(await lastDecision(api)).toMatchObject({ rails: ['tree'], agent: 'printer' })
  })

  it('more often than an agent may in a minute', async () => {
    const limits = { issues_per_minute_per_agent: 3 }
    const api = await planningHouse({ change: (doc) => Object.assign(doc, { limits }) })
    const planner = await api.open()
    for (let n = 0; n < 3; n += 1) await api.delegate(planner, 'reader')
    const more = await api.delegate(planner, 'reader')
    expect([more.status, more.headers.has('retry-after')]).toEqual([429, true])
  })
})

describe('P11: a delegation token that cannot be used', () => {
  /** Status and body, without what names the request. */
  const shape = ({ status, text }: { status: number; text: string }) => ({
    status,
    text: text.replace(/req_[a-z2-7]{20}/, 'req'),
  })

  async function unused(change: { tenant?: string } = {}) {
    const api = await planningHouse()
    const planner = await api.open()
    const { token, delegation } = (await api.delegate(planner, 'reader')).body
    return { api, planner, token, delegation, ...change }
  }

  it.each([
    ['another agent', 'fetcher', {}, /was made for another agent/],
    ['an agent of another tenant', 'biller', { intent: [INVOICE] }, /^no such delegation$/],
  ])('is for %s what an unknown one is', async (_, thief, overlay, reason) => {
    const { api, token, delegation } = await unused()
    const unknown = shape(await api.take(UNKNOWN, thief, overlay))
    expect(unknown.status).toBe(404)
    expect(shape(await api.take(token, thief, overlay))).toEqual(unknown)
    const { reasons, rails, tenant } = await lastDecision(api)
    expect([rails, tenant]).toEqual([['delegation'], thief === 'biller' ? 'billing' : 'support'])
    expect(reasons[0]).toMatch(reason)
    if (thief === 'biller') expect(JSON.stringify(reasons)).not.toContain(delegation.id)
    expect((await api.take(token, 'reader')).status).toBe(201)
  })

  it('once used, once expired, and when its task has ended, is what an unknown one is', async () => {
    const { api, planner, token } = await unused()
    const unknown = shape(await api.take(UNKNOWN, 'reader'))
    expect((await api.take(token, 'reader')).status).toBe(201)
    expect(shape(await api.take(token, 'reader'))).toEqual(unknown)
    expect((await lastDecision(api)).reasons[0]).toMatch(/^dlg_\w+ was used before$/)

    const late = (await api.delegate(planner, 'reader')).body
    await api.advance(300_000)
    expect(shape(await api.take(late.token, 'reader'))).toEqual(unknown)
    expect((await lastDecision(api)).reasons[0]).toMatch(/has expired$/)

    const orphan = (await api.delegate(planner, 'reader')).body
    await api.call(`POST /v1/tasks/${planner.id}/end`, { token: planner.token, body: {} })
    expect(shape(await api.take(orphan.token, 'reader'))).toEqual(unknown)
    expect((await lastDecision(api)).reasons[0]).toMatch(/has ended$/)
    const events = await api.store.audit.read(0, 1_000)
    expect(events.filter(({ type }) => type === 'delegation.refused')).toHaveLength(4)
    expect(events.filter(({ type }) => type === 'delegation.used')).toHaveLength(1)
  })

  it('opens nothing as a bearer, and one task of many that come at once', async () => {
    const { api, token, planner } = await unused()
    for (const line of [`GET /v1/tasks/${planner.id}`, 'GET /v1/leases']) {
      expect(await api.refusal(line, { token })).toBe('401 unauthenticated')
    }
    const all = await Promise.all(Array.from({ length: 8 }, () => api.take(token, 'reader')))
    expect(all.map(({ status }) => status).toSorted()).toEqual([201, ...Array(7).fill(404)])
    expect((await api.as('auditor', `GET /v1/tasks?parent=${planner.id}`)).body.items).toHaveLength(
      1,
    )
  })

  it('P2: is nowhere in what is stored, logged or answered afterwards', async () => {
    const { api, token, planner } = await unused()
    await api.take(token, 'fetcher')
    await api.take(token, 'reader')
    const { items } = (await api.as('auditor', 'GET /v1/audit?limit=500')).body
    const shown = await api.as('auditor', `GET /v1/tasks/${planner.id}`)
    const search = new SecretSearch({ secrets: [token.slice('mfd_'.length)] })
    search.place('answers and log', JSON.stringify([items, shown.body, api.logged]))
    search.files(api.dir)
    expect(search.found).toEqual([])
    expect(
      search.searched.get('mayfly.db-wal') ?? search.searched.get('mayfly.db'),
    ).toBeGreaterThan(0)
  })
})

describe('an executor’s task', () => {
  it('P4: stays within what was delegated, also where the planner’s task is wider', async () => {
    const api = await planningHouse()
    const planner = await api.open({ intent: [WIDE] })
    const { token } = (await api.delegate(planner, 'reader')).body
    const wider = await api.take(token, 'reader', { intent: [WIDE] })
    expect([wider.status, wider.body.code]).toEqual([403, 'intent_exceeded'])
    expect((await api.take(token, 'reader')).status).toBe(201)
  })

  it('P5: lasts no longer than was delegated, nor than the task above it', async () => {
    const api = await planningHouse()
    const planner = await api.open({ ttl_seconds: 600 })
    const deadline = async (ttl_seconds: number, asked: number) => {
      const { token } = (await api.delegate(planner, 'reader', { ttl_seconds })).body
      const { task } = (await api.take(token, 'reader', { ttl_seconds: asked })).body
      return (Date.parse(task.deadline) - api.clock.now()) / 1000
    }
    expect(await deadline(3_600, 3_600)).toBe(600)
    expect(await deadline(60, 3_600)).toBe(60)
    expect(await deadline(600, 30)).toBe(30)
    await api.advance(598_500)
    expect(await deadline(3_600, 3_600)).toBe(1)
  })

  it('P10: needs the executor’s own evidence: the planner’s is another agent’s', async () => {
    const api = await planningHouse()
    const planner = await api.open()
    const { token } = (await api.delegate(planner, 'reader')).body
    expect((await api.take(token, 'robot')).status).toBe(404)
    expect((await api.take(token, 'stranger')).body.code).toBe('agent_unknown')
    expect((await api.take(token, 'reader')).status).toBe(201)
  })

  it('P10: keeps an executor’s least proof', async () => {
    const api = await planningHouse()
    const planner = await api.open()
    const { token } = (await api.delegate(planner, 'careful')).body
    expect((await api.take(token, 'careful')).body.code).toBe('proof_too_weak')
  })

  it('counts for its own agent’s cap, and a refusal leaves the delegation unused', async () => {
    const limits = { open_tasks_per_agent: 1 }
    const api = await planningHouse({ change: (doc) => Object.assign(doc, { limits }) })
    const planner = await api.open()
    const { token } = (await api.delegate(planner, 'reader')).body
    const other = await api.open({}, { sub: 'reader' })
    expect((await api.take(token, 'reader')).body.code).toBe('limit_reached')
    await api.call(`POST /v1/tasks/${other.id}/end`, { token: other.token, body: {} })
    expect((await api.take(token, 'reader')).status).toBe(201)
  })
})

it('a used delegation stays used, an unused one usable, over a restart', async () => {
  const api = await planningHouse()
  const planner = await api.open()
  const [used, waiting] = [
    (await api.delegate(planner, 'reader')).body.token,
    (await api.delegate(planner, 'fetcher')).body.token,
  ]
  await api.take(used, 'reader')
  await api.store.close()
  const { dir, issuer } = api
  const again = await testBroker({ dir, issuer })
  onTestFinished(again.close)
  const { createHash } = await import('node:crypto')
  const found = (token: string) =>
    again.store.delegations.byToken(createHash('sha256').update(token).digest('hex'))
  expect(await found(used)).toMatchObject({ usedAt: expect.any(Number), agent: 'reader' })
  expect(await found(waiting)).toMatchObject({ usedAt: null, child: null, agent: 'fetcher' })
})
