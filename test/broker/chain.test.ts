import { describe, expect, it } from 'vitest'
import { decideCredential } from '../../src/broker/decide.ts'
import { planCredential } from '../../src/broker/plan.ts'
import { enforceWorld } from '../../src/broker/reload.ts'
import type { LeaseId, TaskId } from '../../src/ids.ts'
import { sweepSilence } from '../../src/lifecycle/silence.ts'
import { starterPolicies } from '../fixture/broker.ts'
import { type Planning, planningHouse } from '../fixture/delegation.ts'
import { type Opened, TICKET } from '../fixture/http.ts'
import { whileMinted } from '../fixture/while-minted.ts'

const GROUNDED = {
  name: 'grounded.cedar',
  text: `@id("grounded") forbid (
    principal is Mayfly::Agent,
    action in [Mayfly::Action::"requestCredential", Mayfly::Action::"requestCredentialWithApproval"],
    resource is Mayfly::Entitlement
  ) when { principal.labels.contains("grounded") };`,
}

/** A house with a policy that keeps agents labelled "grounded" from every credential. */
function house(change?: (doc: { agents: Labelled[]; entitlements: object[] }) => void) {
  const policies = [...starterPolicies(), GROUNDED]
  return planningHouse({ policies, ...(change && { change: change as never }) })
}
interface Labelled {
  id: string
  labels?: string[]
}

function ground(api: Planning, agent: string) {
  api.reconfigure((doc) => {
    for (const one of doc.agents) if (one.id === agent) one.labels = ['grounded']
  })
}

async function chainOfThree(api: Planning, opening = {}) {
  const root = await api.open(opening)
  const middle = await api.passOn(root, 'reader', opening)
  const leaf = await api.passOn(middle, 'fetcher', opening)
  return { root, middle, leaf }
}

const stored = (api: Planning, { id }: Opened) => api.store.tasks.byId(id as TaskId)
const code = (answer: { status: number; body: { code?: string } }) =>
  answer.body.code ?? String(answer.status)
const raise = (api: Planning, signal: object) =>
  api.call('POST /v1/signals/siem', api.delivery(signal))

describe('P4: nobody gets through a chain what one of it could not have', () => {
  it.each(['summariser', 'reader', 'fetcher'])('%s without the entitlement', async (agent) => {
    const api = await house()
    const { root, leaf } = await chainOfThree(api)
    ground(api, agent)
    const refused = await api.issue(leaf)
    expect(code(refused)).toBe('policy_denied')
    const id = /dec_\w{20}/.exec(refused.body.detail)?.[0]
    const decision = (await api.as('auditor', `GET /v1/decisions/${id}`)).body
    const by = agent === 'fetcher' ? '' : `for ${agent}, which delegated: `
    expect(decision).toMatchObject({
      outcome: 'deny',
      agent: 'fetcher',
      policies: ['grounded'],
      reasons: [`${by}forbidden by policy "grounded"`],
      act: { sub: 'fetcher', act: { sub: 'reader', act: { sub: 'summariser', task: root.id } } },
    })
    expect(refused.text).not.toMatch(/summariser|grounded/)
    expect(api.upstream.minted).toHaveLength(0)
    const own = await api.open({}, { sub: 'fetcher' })
    expect(code(await api.issue(own))).toBe(agent === 'fetcher' ? 'policy_denied' : '201')
  })

  it('P3: a chain of which one task cannot be found is refused', async () => {
    const api = await house()
    const { leaf, middle } = await chainOfThree(api)
    const task = await stored(api, leaf)
    const above = await stored(api, middle)
    if (!task || !above) throw new Error('not stored')
    const now = api.clock.now()
    const request = { entitlement: 'tickets-read', intent: undefined, ttlSeconds: undefined }
    const plan = planCredential(api.broker.world(), task, request, { now, earliest: now })
    if ('rail' in plan) throw new Error(plan.message)
    const facts = { task, plan, risk: { level: 'LOW', reasons: [] }, activeLeases: 0, now } as const
    const [one] = [{ task: above, risk: facts.risk, activeLeases: 0 }]
    for (const found of [[], [one]]) {
      expect(decideCredential(api.broker.world(), { ...facts, above: found })).toMatchObject({
        outcome: 'deny',
        rails: ['chain'],
      })
    }
  })

  it('at a planner’s risk, whatever the executor’s own: at issue, at renewal, on delegating', async () => {
    const api = await house()
    const { middle, leaf } = await chainOfThree(api)
    const { lease } = (await api.issue(leaf)).body
    const waiting = (await api.delegate(middle, 'indexer')).body.token
    await raise(api, {
      subject: { agent: 'summariser' },
      level: 'MEDIUM',
      reason: 'odd',
      action: 'risk',
    })
    expect(code(await api.issue(leaf))).toBe('policy_denied')
    expect(code(await api.delegate(middle, 'printer'))).toBe('policy_denied')
    await raise(api, {
      subject: { agent: 'summariser' },
      level: 'HIGH',
      reason: 'odd',
      action: 'risk',
    })
    expect(code(await api.take(waiting, 'indexer'))).toBe('policy_denied')
    const renew = `POST /v1/leases/${lease.id}/renew`
    expect(await api.refusal(renew, { token: leaf.token, body: {} })).toBe('403 policy_denied')
    expect((await api.store.leases.byId(lease.id))?.cause).toBe('policy')
    const apart = await api.open({}, { sub: 'fetcher' })
    expect(code(await api.issue(apart))).toBe('201')
  })

  it('what one of a tree has touched stays with all above it, and with what they delegate', async () => {
    const item = (identifier: string) => ({ ...TICKET, identifier })
    const api = await house(({ entitlements }) => {
      for (const zone of ['restricted', 'external']) {
        entitlements.push({
          id: zone,
          zone,
          tenants: ['support'],
          provider: 'upstream',
          target: { account: zone },
          ceiling: [{ type: 'fake', actions: ['read'], locations: ['/tickets/*'] }],
        })
      }
    })
    const intent = [item('restricted'), item('external')]
    const planner = await api.open({ intent })
    const reads = await api.passOn(planner, 'reader', { intent: [item('restricted')] })
    const sends = await api.passOn(planner, 'fetcher', { intent: [item('external')] })
    expect(code(await api.issue(reads, { entitlement: 'restricted' }))).toBe('201')
    expect(code(await api.issue(sends, { entitlement: 'external' }))).toBe('policy_denied')
    expect(code(await api.issue(planner, { entitlement: 'external' }))).toBe('policy_denied')
    expect((await stored(api, planner))?.touched.zones).toEqual(['restricted'])
    expect((await stored(api, sends))?.touched.zones).toEqual([])
  })
})

describe('P7: what a planner loses its executors lose', () => {
  it('its permission, at a reload', async () => {
    const api = await house()
    const { leaf, middle } = await chainOfThree(api)
    const beside = await api.open({}, { sub: 'fetcher' })
    const leases = [leaf, middle, beside].map(async (one) => (await api.issue(one)).body.lease.id)
    const [below, between, alone] = (await Promise.all(leases)) as [LeaseId, LeaseId, LeaseId]
    ground(api, 'summariser')
    expect(await enforceWorld(api.broker, { actor: 'operator:admin', because: 'world' })).toBe(2)
    for (const id of [below, between]) {
      expect(await api.store.leases.byId(id)).toMatchObject({ state: 'ending', cause: 'policy' })
    }
    expect((await api.store.leases.byId(alone))?.state).toBe('active')
  })

  it('its place in the configuration', async () => {
    const api = await house()
    const { leaf } = await chainOfThree(api)
    const { lease } = (await api.issue(leaf)).body
    api.reconfigure((doc) => {
      doc.agents = doc.agents.filter((one: Labelled) => one.id !== 'summariser')
    })
    expect(code(await api.issue(leaf))).toBe('policy_denied')
    await enforceWorld(api.broker, { actor: 'operator:admin', because: 'world' })
    expect(await stored(api, leaf)).toMatchObject({ state: 'ended', cause: 'parent-ended' })
    expect((await api.store.leases.byId(lease.id))?.state).toBe('ending')
  })

  it('its life, when it falls silent', async () => {
    const api = await house()
    const root = await api.open({ heartbeat_seconds: 10 })
    const executor = await api.passOn(root, 'reader')
    const { lease } = (await api.issue(executor)).body
    await api.advance(20_000)
    await sweepSilence(api.broker)
    expect(await stored(api, root)).toMatchObject({ cause: 'heartbeat-lost' })
    expect(await stored(api, executor)).toMatchObject({ cause: 'parent-ended' })
    expect(await api.store.leases.byId(lease.id)).toMatchObject({
      cause: 'parent-ended',
      lane: 'end',
    })
  })

  it('its freedom: a block that keeps its tasks keeps its executors from everything too', async () => {
    const api = await house()
    const { middle, leaf } = await chainOfThree(api)
    const waiting = (await api.delegate(middle, 'indexer')).body.token
    const subject = { agent: 'summariser', entitlement: 'tickets-read' }
    await raise(api, { subject, level: 'LOW', reason: 'leak', action: 'block' })
    expect(code(await api.issue(leaf))).toBe('blocked')
    await raise(api, {
      subject: { agent: 'summariser' },
      level: 'LOW',
      reason: 'x',
      action: 'block',
    })
    expect(code(await api.delegate(middle, 'printer'))).toBe('blocked')
    expect(code(await api.take(waiting, 'indexer'))).toBe('blocked')
    expect((await stored(api, leaf))?.state).toBe('open')
    const apart = await api.open({}, { sub: 'fetcher' })
    expect(code(await api.issue(apart))).toBe('201')
  })
})

describe('P8: a kill above', () => {
  const orders = [
    ['the root task', ({ root }: { root: Opened }) => ({ task: root.id })],
    ['the planner', () => ({ agent: 'summariser' })],
    ['the planner’s workload', () => ({ workload: 'corp/robot' })],
  ] as const

  it.each(orders)('of %s overtakes an executor’s issue in flight', async (_, selector) => {
    const api = await house()
    const tree = await chainOfThree(api)
    const answer = await whileMinted(
      api.upstream,
      () => api.issue(tree.leaf),
      async () => {
        const body = { selector: selector(tree), reason: 'drill' }
        expect((await api.as('responder', 'POST /v1/kills', body)).status).toBe(202)
      },
    )
    expect(code(answer)).toBe('blocked')
    expect(answer.text).not.toContain('canary-')
    const [lease] = await api.store.leases.list({ tenants: null }, { limit: 1, after: undefined })
    expect(lease).toMatchObject({ state: 'ending', cause: 'killed', lane: 'kill' })
  })

  it('of the planner overtakes an executor’s renewal in flight', async () => {
    const api = await house()
    const { leaf } = await chainOfThree(api)
    const { lease } = (await api.issue(leaf)).body
    const answer = await whileMinted(
      api.upstream,
      () => api.call(`POST /v1/leases/${lease.id}/renew`, { token: leaf.token, body: {} }),
      async () => {
        const body = { selector: { agent: 'summariser' }, reason: 'drill' }
        await api.as('responder', 'POST /v1/kills', body)
      },
    )
    expect(code(answer)).toBe('blocked')
    expect(answer.text).not.toContain('canary-')
    expect(await api.store.leases.byId(lease.id)).toMatchObject({ cause: 'killed', lane: 'kill' })
  })

  it.each(orders)('of %s lets nothing begin below it, not yet handed on', async (_, selector) => {
    const api = await house()
    const tree = await chainOfThree(api)
    const waiting = (await api.delegate(tree.middle, 'indexer')).body.token
    const body = { selector: selector(tree), reason: 'drill', block_seconds: 0 }
    await api.as('responder', 'POST /v1/kills', body)
    expect(code(await api.issue(tree.leaf))).toBe('task_ended')
    expect(code(await api.delegate(tree.leaf, 'printer'))).toBe('task_ended')
    expect(code(await api.take(waiting, 'indexer'))).toBe('not_found')
    await api.advanceKills()
    for (const one of [tree.root, tree.middle, tree.leaf]) {
      expect((await stored(api, one))?.state).toBe('ended')
    }
  })

  it('of a planner counts, ends and shows what was done in its name', async () => {
    const api = await house()
    const { leaf, middle } = await chainOfThree(api)
    const apart = await api.open({}, { sub: 'fetcher' })
    const held = [leaf, middle, apart].map(async (one) => (await api.issue(one)).body.lease.id)
    const [below, between, alone] = (await Promise.all(held)) as [LeaseId, LeaseId, LeaseId]
    const order = { selector: { agent: 'summariser' }, reason: 'drill' }
    const dry = await api.as('responder', 'POST /v1/kills', { ...order, dry_run: true })
    expect(dry.body.kill.counts).toEqual({ leases: 2, tasks: 3, agents: 3 })
    const { kill } = (await api.as('responder', 'POST /v1/kills', order)).body
    await api.advanceKills()
    for (const id of [below, between]) {
      expect(await api.store.leases.byId(id)).toMatchObject({ cause: 'killed', lane: 'kill' })
    }
    expect((await api.store.leases.byId(alone))?.state).toBe('active')
    const shown = (await api.as('responder', `GET /v1/kills/${kill.id}`)).body
    expect(shown.progress).toMatchObject({ remaining: 2 })
  })

  it('of a part of what a planner holds ends the same part below it', async () => {
    const api = await house()
    const listing = { ...TICKET, identifier: 'tickets-write' }
    const { leaf } = await chainOfThree(api, { intent: [TICKET, listing] })
    const read = (await api.issue(leaf)).body.lease.id
    const write = (await api.issue(leaf, { entitlement: 'tickets-write' })).body.lease.id
    const selector = { agent: 'summariser', entitlement: 'tickets-write' }
    await api.as('responder', 'POST /v1/kills', { selector, reason: 'drill' })
    await api.advanceKills()
    expect(await api.store.leases.byId(write)).toMatchObject({ state: 'ending', cause: 'killed' })
    expect((await api.store.leases.byId(read))?.state).toBe('active')
    expect((await stored(api, leaf))?.state).toBe('open')
  })

  it('of an executor leaves its planner and its siblings alone', async () => {
    const api = await house()
    const { root, middle, leaf } = await chainOfThree(api)
    await api.as('responder', 'POST /v1/kills', { selector: { agent: 'reader' }, reason: 'drill' })
    await api.advanceKills()
    expect((await stored(api, middle))?.state).toBe('ended')
    expect((await stored(api, leaf))?.state).toBe('ended')
    expect((await stored(api, root))?.state).toBe('open')
    expect(code(await api.issue(root))).toBe('201')
  })
})

it('P4: a planner gets no more of high impact within an hour through executors than by itself', async () => {
  const purge = { ...TICKET, identifier: 'tickets-write', actions: ['delete'] }
  const permissive = {
    name: 'high-impact.cedar',
    text: `@id("high-impact") permit (principal is Mayfly::Agent,
      action in [Mayfly::Action::"requestCredential", Mayfly::Action::"delegate"], resource);`,
  }
  const api = await planningHouse({
    policies: [...starterPolicies(), permissive],
    change: (doc) => Object.assign(doc, { limits: { high_impact_per_hour_per_agent: 2 } }),
  })
  const planner = await api.open({ intent: [purge] })
  const write = (task: Opened) => api.issue(task, { entitlement: 'tickets-write' })
  const [reader, fetcher, indexer] = [
    await api.passOn(planner, 'reader', { intent: [purge] }),
    await api.passOn(planner, 'fetcher', { intent: [purge] }),
    await api.passOn(planner, 'indexer', { intent: [purge] }),
  ]
  expect(code(await write(reader))).toBe('201')
  await api.advance(600_000)
  expect(code(await write(fetcher))).toBe('201')
  for (const task of [indexer, planner]) {
    const refused = await write(task)
    expect([code(refused), refused.headers.get('retry-after')]).toEqual(['limit_reached', '3000'])
  }
  const apart = await api.open({ intent: [purge] }, { sub: 'indexer' })
  expect(code(await write(apart))).toBe('201')
  expect(code(await write(apart))).toBe('201')
  await api.advance(3_000_000)
  expect(code(await write(apart))).toBe('limit_reached')
  expect(code(await write(await api.open({ intent: [purge] })))).toBe('201')
})
