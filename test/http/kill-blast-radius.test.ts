import { expect, it } from 'vitest'
import { planningHouse } from '../fixture/delegation.ts'
import { INVOICE, TICKET, testApi } from '../fixture/http.ts'

const DRILL = { reason: 'drill', dry_run: true }

it('a dry run says which tasks, agents and entitlements break, what can be ended, and until when', async () => {
  const api = await testApi({
    change: (doc) => {
      const target = { account: 'archive', revocability: 'expiry' }
      Object.assign(doc.entitlements[1], { target, revocability: 'expiry' })
    },
  })
  const writes = { ...TICKET, identifier: 'tickets-write' }
  const busy = await api.open({ purpose: 'refund order 12', intent: [TICKET, writes] })
  const idle = await api.open({ purpose: 'read the manual' })
  await api.issue(busy)
  const short = (await api.issue(busy, { ttl_seconds: 60 })).body.lease
  const { lease } = (await api.issue(busy, { entitlement: 'tickets-write', ttl_seconds: 400 })).body
  const before = await api.store.audit.head()
  const order = { selector: { agent: 'summariser' }, ...DRILL }
  const { kill } = (await api.as('responder', 'POST /v1/kills', order)).body
  expect(kill.counts).toEqual({ leases: 3, tasks: 2, agents: 1 })
  const radius = kill.blast_radius
  expect(radius).toMatchObject({ refusable: 2, runs_out: 1, exposed_until: lease.exposed_until })
  expect(radius.upstreams).toMatchObject([
    { provider: 'upstream', revocability: 'expiry', refusable: false, leases: 1 },
    { provider: 'upstream', revocability: 'immediate', refusable: true, leases: 2 },
  ])
  expect(radius.upstreams[1].exposed_until > short.exposed_until).toBe(true)
  expect(radius.entitlements).toEqual([
    { entitlement: 'tickets-read', leases: 2 },
    { entitlement: 'tickets-write', leases: 1 },
  ])
  const whose = { agent: 'summariser', tenant: 'support' }
  expect(radius.agents).toEqual([{ ...whose, tasks: 2, leases: 3 }])
  expect(radius.tasks).toEqual([
    { id: busy.id, ...whose, purpose: 'refund order 12', leases: 3, ends: true, ended: false },
    { id: idle.id, ...whose, purpose: 'read the manual', leases: 0, ends: true, ended: false },
  ])
  expect(await api.store.audit.head()).toEqual(before)
})

it('a dry run of a part of what tasks hold says that they go on without it', async () => {
  const api = await testApi()
  const task = await api.open({ intent: [TICKET, { ...TICKET, identifier: 'tickets-write' }] })
  await api.issue(task)
  await api.issue(task, { entitlement: 'tickets-write' })
  const order = { selector: { entitlement: 'tickets-write' }, ...DRILL }
  const { kill } = (await api.as('responder', 'POST /v1/kills', order)).body
  expect(kill.blast_radius.tasks).toMatchObject([{ id: task.id, leases: 1, ends: false }])
})

it('a dry run of a planner names what works for it', async () => {
  const api = await planningHouse()
  const root = await api.open()
  const leaf = await api.passOn(await api.passOn(root, 'reader'), 'fetcher')
  await api.issue(leaf)
  for (const selector of [{ agent: 'summariser' }, { task: root.id }]) {
    const { kill } = (await api.as('responder', 'POST /v1/kills', { selector, ...DRILL })).body
    const { tasks, agents } = kill.blast_radius
    expect(tasks).toHaveLength(3)
    expect(tasks[0]).toMatchObject({ id: leaf.id, agent: 'fetcher', leases: 1, ends: true })
    expect(agents.map((one: { agent: string }) => one.agent)).toEqual([
      'fetcher',
      'reader',
      'summariser',
    ])
  }
})

it('P11: a dry run shows an operator nothing of other tenants', async () => {
  const api = await testApi()
  const mine = await api.open()
  const theirs = await api.open(
    { purpose: 'secret of billing', intent: [INVOICE] },
    { sub: 'biller' },
  )
  await api.issue(mine)
  await api.issue(theirs, { entitlement: 'invoices-read' })
  for (const selector of [{ all: true }, { provider: 'upstream' }, { task: theirs.id }]) {
    const { text, body } = await api.as('support', 'POST /v1/kills', { selector, ...DRILL })
    expect(text).not.toContain('secret of billing')
    expect(text).not.toContain('invoices-read')
    const ids = body.kill.blast_radius.tasks.map((task: { id: string }) => task.id)
    expect(ids).toEqual('task' in selector ? [] : [mine.id])
    expect(body.kill.counts.leases).toBe('task' in selector ? 0 : 1)
  }
})

it('a dry run tells what is refused already, and which tasks are over, from what it would end', async () => {
  const api = await testApi()
  const [over, open] = [await api.open(), await api.open()]
  const { lease } = (await api.issue(over)).body
  await api.issue(open)
  await api.call(`POST /v1/tasks/${over.id}/end`, { token: over.token, body: {} })
  const { id, handle } = (await api.store.leases.byId(lease.id)) ?? raise()
  const now = api.clock.now()
  const seen = { id, handle, exposedUntil: now, proof: undefined, nextDue: null, now }
  await api.store.endings.contained({ ...seen, containment: 'enforced' })
  const order = { selector: { agent: 'summariser' }, ...DRILL }
  const { kill } = (await api.as('responder', 'POST /v1/kills', order)).body
  expect(kill.blast_radius).toMatchObject({ refusable: 1, refused: 1, runs_out: 0 })
  const tasks = kill.blast_radius.tasks as { id: string; ends: boolean; ended: boolean }[]
  expect(tasks.find((task) => task.id === over.id)).toMatchObject({ ends: false, ended: true })
  expect(tasks.find((task) => task.id === open.id)).toMatchObject({ ends: true, ended: false })
})

it('a dry run over many tasks tells the 50 with the most leases, and how many there are', async () => {
  const api = await testApi({ change: (doc) => Object.assign(doc, { limits: ROOM }) })
  const tasks: string[] = []
  for (let n = 0; n < 53; n += 1) tasks.push((await api.open()).id)
  const heavy = await api.open()
  await api.issue(heavy)
  const order = { selector: { all: true }, ...DRILL }
  const { kill } = (await api.as('responder', 'POST /v1/kills', order)).body
  expect(kill.counts.tasks).toBe(54)
  expect(kill.blast_radius.tasks).toHaveLength(50)
  expect(kill.blast_radius.tasks[0].id).toBe(heavy.id)
})

const ROOM = { open_tasks_per_agent: 100 }

it('a kill is told by containment, with what remains and until when that could work', async () => {
  const api = await testApi()
  const { lease } = (await api.issue(await api.open())).body
  const selector = { agent: 'summariser' }
  const ordered = (await api.as('responder', 'POST /v1/kills', { selector, reason: 'x' })).body.kill
  expect(ordered.state).toBe('ordering')
  await api.advanceKills()
  await api.advance(4_000)
  const look = async () => (await api.as('responder', `GET /v1/kills/${ordered.id}`)).body
  expect(await look()).toMatchObject({
    state: 'ending',
    progress: {
      pending: 1,
      remaining: 1,
      oldest_ending_since: ordered.created_at,
      exposed_until: lease.exposed_until,
    },
  })
  const { id, handle } = (await api.store.leases.byId(lease.id)) ?? raise()
  const now = api.clock.now()
  const seen = { id, handle, exposedUntil: now, proof: undefined, nextDue: null, now }
  await api.store.endings.contained({ ...seen, containment: 'enforced' })
  const refused = await look()
  expect(refused).toMatchObject({ state: 'ending', progress: { pending: 0, enforced: 1 } })
  // It waits for its upstream no more, only for its own end.
  expect(refused.progress.oldest_ending_since).toBeUndefined()
  await api.store.endings.contained({ ...seen, containment: 'proved' })
  const over = await look()
  expect(over).toMatchObject({ state: 'ended', progress: { enforced: 0, proved: 1, remaining: 0 } })
  expect(over.progress.exposed_until).toBeUndefined()
})

function raise(): never {
  throw new Error('not there')
}
