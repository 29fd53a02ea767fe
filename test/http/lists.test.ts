import { expect, it } from 'vitest'
import { type Api, testApi } from '../fixture/http.ts'

/** Walks a list page by page and returns the ids, in order. */
async function walk({ as }: Api, path: string, limit: number): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const more: string = cursor === '' ? '' : `&cursor=${cursor}`
    const { body } = await as(
      'responder',
      `GET ${path}${path.includes('?') ? '&' : '?'}limit=${limit}${more}`,
    )
    expect(body.items.length).toBeLessThanOrEqual(limit)
    ids.push(...body.items.map((item: { id?: string; lease?: string }) => item.id ?? item.lease))
    cursor = body.next_cursor
  }
  return ids
}

it('a list walked in pages holds everything once, newest first, whatever the page size', async () => {
  const api = await testApi()
  const task = await api.open()
  const leases: string[] = []
  for (let n = 0; n < 7; n += 1) {
    leases.unshift((await api.issue(task)).body.lease.id)
    await api.advance(n % 2)
  }
  for (const limit of [1, 2, 3, 7, 8]) {
    const seen = await walk(api, '/v1/leases', limit)
    expect(seen.toSorted()).toEqual(leases.toSorted())
    expect(new Set(seen).size).toBe(7)
  }
  expect(await walk(api, '/v1/decisions', 3)).toHaveLength(8)
  await api.as('responder', 'POST /v1/kills', { selector: { task: task.id }, reason: 'x' })
  await api.advanceKills()
  expect((await walk(api, '/v1/endings', 3)).toSorted()).toEqual(leases.toSorted())
  expect(await walk(api, '/v1/agents', 2)).toEqual([
    'summariser',
    'biller',
    'careful',
    'twin-1',
    'twin-2',
  ])
})

it('rows that appear meanwhile neither repeat nor hide others', async () => {
  const api = await testApi()
  for (let n = 0; n < 4; n += 1) {
    await api.open()
    await api.advance(1)
  }
  const first = (await api.as('responder', 'GET /v1/tasks?limit=2')).body
  await api.open()
  const second = (await api.as('responder', `GET /v1/tasks?limit=9&cursor=${first.next_cursor}`))
    .body
  expect(second.items).toHaveLength(2)
})

it('an operator of one tenant gets full pages of blocks although others lie between', async () => {
  const api = await testApi()
  for (let n = 0; n < 6; n += 1) {
    const who = n % 2 === 0 ? 'support' : 'billing'
    await api.as(who, 'POST /v1/kills', { selector: { tenant: who }, reason: `r${n}` })
    await api.advance(1)
  }
  const page = (await api.as('support', 'GET /v1/blocks?limit=2')).body
  expect(page.items.map((one: { reason: string }) => one.reason)).toEqual(['r4', 'r2'])
  const rest = (await api.as('support', `GET /v1/blocks?limit=2&cursor=${page.next_cursor}`)).body
  expect(rest.items.map((one: { reason: string }) => one.reason)).toEqual(['r0'])
  expect(rest.next_cursor).toBeNull()
})

it('kills are listed as each is shown, newest first', async () => {
  const api = await testApi()
  const task = await api.open()
  await api.issue(task)
  const order = async (reason: string, selector: object) => {
    await api.as('responder', 'POST /v1/kills', { selector, reason })
    await api.advance(1)
  }
  await order('first', { agent: 'biller' })
  await order('second', { task: task.id })
  await order('third', { tenant: 'nobody' })
  await api.advanceKills()
  const { items, next_cursor } = (await api.as('responder', 'GET /v1/kills')).body
  expect(next_cursor).toBeNull()
  expect(items.map((one: { reason: string }) => one.reason)).toEqual(['third', 'second', 'first'])
  expect(items[1]).toMatchObject({
    selector: { task: task.id },
    ordered_by: expect.stringContaining('responder'),
    state: 'ending',
    counts: { leases: 1, tasks: 1, agents: 1 },
    progress: { pending: 1, remaining: 1 },
  })
  for (const item of items) {
    expect((await api.as('responder', `GET /v1/kills/${item.id}`)).body).toEqual(item)
  }
  for (const limit of [1, 2, 3]) {
    const ids = items.map((one: { id: string }) => one.id)
    expect(await walk(api, '/v1/kills', limit), String(limit)).toEqual(ids)
  }
})

it('P11: an operator of one tenant gets full pages of kills although others lie between', async () => {
  const api = await testApi()
  for (const [n, who] of (['support', 'billing', 'responder', 'support'] as const).entries()) {
    const selector = { agent: 'summariser' }
    await api.as(who, 'POST /v1/kills', { selector, reason: `r${n}` })
    await api.advance(1)
  }
  const first = (await api.as('support', 'GET /v1/kills?limit=1')).body
  expect(first.items.map((one: { reason: string }) => one.reason)).toEqual(['r3'])
  const rest = (await api.as('support', `GET /v1/kills?limit=1&cursor=${first.next_cursor}`)).body
  expect(rest.items.map((one: { reason: string }) => one.reason)).toEqual(['r0'])
  expect(rest.next_cursor).toBeNull()
})

it('providers say which of their circuits is open, and why nothing is minted there', async () => {
  const api = await testApi()
  const upstream = async (who: 'responder' | 'support' = 'responder') =>
    (await api.as(who, 'GET /v1/providers')).body.items.find(
      (one: { id: string }) => one.id === 'upstream',
    )
  const fine = { open: false, failures: 0 }
  expect(await upstream()).toEqual({
    id: 'upstream',
    type: 'fake',
    circuits: { mint: fine, revoke: fine },
  })
  for (let n = 0; n < 5; n += 1) api.broker.health.failed('upstream', 'revoke')
  expect(await upstream()).toMatchObject({
    circuits: { mint: fine, revoke: { open: true, failures: 5 } },
    problem: 'ending leases at upstream fails at present',
  })
  api.broker.health.succeeded('upstream', 'revoke')
  expect(await upstream()).toMatchObject({ circuits: { mint: fine, revoke: fine } })
})

it('P11: of providers an operator of one tenant sees those of its entitlements, and no reasons', async () => {
  const api = await testApi({
    change: (doc) => {
      doc.providers.others = { ...doc.providers.upstream }
      for (const one of doc.entitlements) {
        if (!one.tenants.includes('support')) one.provider = 'others'
      }
    },
  })
  const finding = { level: 'blocking', what: 'the role of billing cannot be denied' } as const
  api.broker.health.checked('upstream', [finding])
  const seenBy = async (who: 'admin' | 'support' | 'billing') =>
    (await api.as(who, 'GET /v1/providers')).body.items.map(
      ({ id, problem }: { id: string; problem?: string }) => [id, problem !== undefined],
    )
  expect(await seenBy('admin')).toEqual([
    ['upstream', true],
    ['others', false],
  ])
  expect(await seenBy('support')).toEqual([['upstream', false]])
  expect(await seenBy('billing')).toContainEqual(['others', false])
})

it('leases are found by what they belong to', async () => {
  const api = await testApi()
  const task = await api.open()
  const { lease } = (await api.issue(task)).body
  await api.call(`POST /v1/leases/${lease.id}/end`, { token: task.token, body: {} })
  const { lease: other } = (await api.issue(task)).body
  const find = async (query: string) =>
    (await api.as('responder', `GET /v1/leases?${query}`)).body.items.map(
      (item: { id: string }) => item.id,
    )
  expect(await find('state=active')).toEqual([other.id])
  expect(await find('state=ending')).toEqual([lease.id])
  expect((await find('state=live')).toSorted()).toEqual([lease.id, other.id].toSorted())
  for (const [query, count] of [
    [`task=${task.id}`, 2],
    ['task=none', 0],
    ['agent=summariser&tenant=support', 2],
    ['entitlement=tickets-read', 2],
    ['entitlement=invoices-read', 0],
    ['provider=upstream', 2],
  ] as const) {
    expect(await find(query), query).toHaveLength(count)
  }
})

it('agents and entitlements show how they stand now', async () => {
  const api = await testApi()
  const task = await api.open()
  await api.issue(task)
  const agents = (await api.as('responder', 'GET /v1/agents')).body.items
  expect(agents[0]).toEqual({
    id: 'summariser',
    tenant: 'support',
    owner: 'support@example.com',
    proof: 'bearer',
    open_tasks: 1,
    active_leases: 1,
    risk: 'LOW',
    blocked: false,
  })
  const [tickets] = (await api.as('responder', 'GET /v1/entitlements')).body.items
  expect(tickets).toMatchObject({
    id: 'tickets-read',
    target: 'tickets',
    revocability: 'immediate',
    active_leases: 1,
  })
  await api.as('responder', 'POST /v1/kills', { selector: { tenant: 'support' }, reason: 'x' })
  const blocked = (await api.as('responder', 'GET /v1/agents')).body.items
  expect(blocked.map((one: { blocked: boolean }) => one.blocked)).toEqual([
    true,
    false,
    true,
    true,
    true,
  ])
})

it('endings show what was tried, and can be tried again now', async () => {
  const api = await testApi()
  const task = await api.open()
  const { lease } = (await api.issue(task)).body
  expect(
    await api.refusal(`POST /v1/endings/${lease.id}/retry`, { token: api.operators.responder }),
  ).toBe('409 conflict')
  await api.call(`POST /v1/leases/${lease.id}/end`, { token: task.token, body: {} })
  const now = api.clock.now()
  await api.store.endings.postponed({
    id: lease.id,
    error: 'the upstream is out of order',
    nextDue: now + 60_000,
    counts: 'attempt',
    now,
  })
  const [ending] = (await api.as('responder', 'GET /v1/endings')).body.items
  expect(ending).toMatchObject({
    lease: lease.id,
    lane: 'end',
    containment: 'pending',
    attempts: 1,
    next_try_at: new Date(now + 60_000).toISOString(),
    last_error: 'the upstream is out of order',
  })
  const retried = await api.as('responder', `POST /v1/endings/${lease.id}/retry`)
  expect(retried.body.next_try_at).toBe(new Date(now).toISOString())
  expect((await api.as('responder', 'POST /v1/endings/retry')).body).toEqual({ retried: 1 })
})
