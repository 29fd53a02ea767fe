import { expect, it } from 'vitest'
import { testApi } from '../fixture/http.ts'

/** Two providers, of which each agent of the house uses one. */
function twoProviders() {
  return testApi({
    change: (doc) => {
      doc.providers.other = { type: 'fake', address: 'there' }
      doc.entitlements[1].provider = 'other'
    },
  })
}

it('endings are listed and tried again for one provider alone', async () => {
  const api = await twoProviders()
  const { clock, store } = api
  const writes = {
    type: 'fake',
    identifier: 'tickets-write',
    actions: ['read'],
    locations: ['/tickets/1'],
  }
  const reads = { ...writes, identifier: 'tickets-read' }
  const task = await api.open({ intent: [reads, writes] })
  const [one, two] = [
    (await api.issue(task)).body.lease.id,
    (await api.issue(task, { entitlement: 'tickets-write' })).body.lease.id,
  ]
  await api.as('responder', 'POST /v1/kills', { selector: { task: task.id }, reason: 'x' })
  await api.advanceKills()
  const later = { error: 'Throttled', nextDue: clock.now() + 30_000, counts: 'attempt' } as const
  for (const id of [one, two]) await store.endings.postponed({ id, ...later, now: clock.now() })
  await api.advance(4_000)
  const { items } = (await api.as('responder', 'GET /v1/endings?provider=other')).body
  expect(items).toMatchObject([
    { lease: two, lane: 'kill', attempts: 1, last_error: 'Throttled', age_seconds: 4 },
  ])
  const retried = await api.as('responder', 'POST /v1/endings/retry', { provider: 'other' })
  expect(retried.body).toEqual({ retried: 1 })
  expect((await store.leases.byId(two))?.dueAt).toBe(clock.now())
  expect((await store.leases.byId(one))?.dueAt).toBe(later.nextDue)
  const event = (await store.audit.read(0, 1_000)).at(-1)
  expect(event).toMatchObject({ type: 'ending.retried', data: { endings: 1, provider: 'other' } })
  expect((await api.as('billing', 'POST /v1/endings/retry', {})).body).toEqual({ retried: 0 })
  expect((await api.as('responder', 'POST /v1/endings/retry', { providr: 'x' })).status).toBe(400)
  const nobody = await api.as('responder', 'POST /v1/endings/retry', { provider: 'nope' })
  expect([nobody.status, nobody.body.code]).toEqual([404, 'not_found'])
  expect((await api.as('responder', 'POST /v1/endings/retry')).body).toEqual({ retried: 2 })
})

it('the age of the oldest unfinished ending is told by provider, without what only runs out', async () => {
  const api = await testApi({
    change: (doc) => {
      doc.providers.other = { type: 'fake', address: 'there' }
      const target = { account: 'archive', revocability: 'expiry' }
      Object.assign(doc.entitlements[1], { provider: 'other', target, revocability: 'expiry' })
    },
  })
  const { clock, store } = api
  const writes = {
    type: 'fake',
    identifier: 'tickets-write',
    actions: ['read'],
    locations: ['/tickets/1'],
  }
  const task = await api.open({ intent: [{ ...writes, identifier: 'tickets-read' }, writes] })
  await api.issue(task)
  const { lease } = (await api.issue(task, { entitlement: 'tickets-write' })).body
  await api.as('responder', 'POST /v1/kills', { selector: { task: task.id }, reason: 'x' })
  await api.advanceKills()
  const { latestPossibleExpiry: nextDue } = (await store.leases.byId(lease.id)) ?? lease
  const now = clock.now()
  await store.endings.postponed({ id: lease.id, error: 'runs out', nextDue, counts: 'wait', now })
  await api.advance(9_000)
  for (let n = 0; n < 5; n += 1) api.broker.health.failed('upstream', 'revoke')
  api.broker.health.failed('other', 'mint')
  const { text } = await api.call('GET /metrics')
  for (const line of [
    'mayfly_endings_waiting{provider="upstream"} 1',
    'mayfly_endings_oldest_seconds{provider="upstream"} 9',
    'mayfly_endings_waiting{provider="other"} 0',
    'mayfly_endings_oldest_seconds{provider="other"} 0',
    'mayfly_circuit_open{provider="upstream",direction="revoke"} 1',
    'mayfly_circuit_open{provider="upstream",direction="mint"} 0',
    'mayfly_circuit_open{provider="other",direction="mint"} 0',
  ]) {
    expect(text).toContain(line)
  }
})
