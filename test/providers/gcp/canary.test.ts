import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { gcp } from '../../../providers/gcp/index.ts'
import type { EndOrder, Provider } from '../../../src/provider.ts'
import type { GcpSandbox } from '../../sandbox/gcp/index.ts'
import {
  createProvider,
  endOf,
  orderFor,
  POOL,
  read,
  revokeBatch,
  SHARED,
  settingsFor,
  startSandbox,
  storageWith,
  TestClock,
  tokenOf,
  VIEW_TICKETS,
} from './fixture.ts'
import { gcpHouse } from './gcp-house.ts'

const [FIRST = ''] = POOL
const PROBE = 'buckets.testIamPermissions'

describe('P6: a lease’s own token as proof of its end', () => {
  let sandbox: GcpSandbox
  let provider: Provider
  let clock: TestClock
  let settings: unknown

  beforeEach(async () => {
    clock = new TestClock()
    ;({ sandbox } = await startSandbox(0, () => clock.now()))
    settings = settingsFor(sandbox)
    provider = createProvider({ settings, clock })
  })
  afterEach(async () => {
    await provider.close()
    await sandbox.close()
  })

  async function ended(change = {}): Promise<EndOrder> {
    const order = orderFor({ settings, clock, ...change })
    const end = endOf(order, await provider.mint(order))
    await provider.revoke?.(revokeBatch(end))
    return end
  }
  async function look(order: EndOrder) {
    const [seen] = (await provider.prove?.([order])) ?? []
    return seen
  }

  it('P6: six refusals in two looks prove it, with how and when', async () => {
    const order = await ended()
    expect(await look(order)).toEqual({ lease: order.lease })
    const seen = await look(order)
    expect(seen?.proof).toEqual({ method: 'canary', at: expect.any(Number) })
  })

  it('P6: a token that works is seen working, and breaks the row', async () => {
    const order = orderFor({ settings, clock })
    const end = endOf(order, await provider.mint(order))
    expect(await look(end)).toEqual({ lease: order.lease, works: true })
    await provider.revoke?.(revokeBatch(end))
    await look(end)
    sandbox.setDisabled(FIRST, false)
    expect(await look(end)).toEqual({ lease: order.lease, works: true })
    sandbox.setDisabled(FIRST, true)
    expect(await look(end)).toEqual({ lease: order.lease })
    expect((await look(end))?.proof).toBeDefined()
    sandbox.setDisabled(FIRST, false)
    expect(await look(end)).toEqual({ lease: order.lease, works: true })
  })

  for (const fault of [
    { kind: 'fail', status: 500 },
    { kind: 'fail', status: 401 },
    { kind: 'fail', status: 429 },
    { kind: 'lose' },
    { kind: 'garbage' },
  ] as const) {
    const kind = 'status' in fault ? `${fault.kind} ${fault.status}` : fault.kind
    it(`P6: where everybody is answered "${kind}" nothing is proved`, async () => {
      const order = orderFor({ settings, clock })
      const end = endOf(order, await provider.mint(order))
      sandbox.faults.plan(PROBE, fault)
      for (let n = 0; n < 4; n += 1) expect((await look(end))?.proof).toBeUndefined()
    })
  }

  it('P6: a refusal near the token’s own expiry proves nothing', async () => {
    const order = await ended()
    clock.advance(271_000)
    for (let n = 0; n < 3; n += 1) expect(await look(order)).toEqual({ lease: order.lease })
  })

  it('P6: the longest-living generation is the one that is looked at', async () => {
    const order = orderFor({ settings, clock, ttlSeconds: 1_800 })
    const first = await provider.mint(order)
    const renewal = { ...order, generation: 2, ttlSeconds: 300, handle: first.handle }
    const second = await provider.mint({ ...renewal, notAfter: clock.now() + 300_000 })
    clock.advance(400_000)
    expect(await look(endOf(order, second))).toMatchObject({ works: true })
  })

  it('P6: a token that is good for more than Cloud Storage, or shared, is not kept', async () => {
    const intent = [
      {
        type: 'gcp',
        actions: ['https://www.googleapis.com/auth/devstorage.read_only'],
        locations: ['//cloudresourcemanager.googleapis.com/projects/acme-agents'],
      },
    ]
    const atomic = orderFor({ settings, clock, intent, ceiling: intent })
    const target = gcp.target.parse({ service_account: SHARED, shared: true })
    const shared = orderFor({ settings, clock, target, slot: null })
    for (const order of [atomic, shared]) {
      const end = endOf(order, await provider.mint(order))
      expect(await look(end)).toEqual({ lease: order.lease })
    }
    const parsed = gcp.settings.parse(settings)
    const described = [
      gcp.describe({ settings: parsed, target: atomic.target, intent, ceiling: intent }),
      gcp.describe({ settings: parsed, target, intent: VIEW_TICKETS }),
      gcp.describe({ settings: parsed, target: atomic.target, intent: VIEW_TICKETS }),
    ]
    expect(described).toMatchObject([{ proof: 'expiry' }, { proof: 'expiry' }, { proof: 'canary' }])
  })

  it('P6: what a restart loses is the proof, and nothing else', async () => {
    const order = await ended()
    const again = createProvider({ settings, clock })
    onTestFinished(() => again.close())
    const [outcome] = (await again.revoke?.(revokeBatch(order))) ?? []
    expect(outcome).toMatchObject({ ok: true, containment: 'enforced' })
    expect(await again.prove?.([order])).toEqual([{ lease: order.lease }])
  })

  it('P2: neither the provider nor what it throws shows the token', async () => {
    const order = orderFor({ settings, clock })
    const minted = await provider.mint(order)
    await look(endOf(order, minted))
    const { inspect } = await import('node:util')
    expect(inspect(provider, { depth: 10, showHidden: true })).not.toContain(tokenOf(minted))
  })
})

describe('a killed Google lease, from order to proof', () => {
  it('P6: is enforced, then proved by canary when the disable has propagated; and lost if enabled', async () => {
    const { house: one, sandbox } = await gcpHouse({ propagationMs: 60_000 })
    const { lease, credential } = await one.lend()
    await one.as('admin', 'POST /v1/kills', { selector: { lease }, reason: 'drill' })
    await one.until(lease, 'enforced')
    const storage = storageWith(credential.access_token ?? '', sandbox)
    expect(await read(storage, 'tickets', '4711/mail.txt')).toBe('the printer burns')
    const early = (await one.as('admin', `GET /v1/leases/${lease}`)).body
    expect(early.exposed_until).toBe(early.native_expires_at)

    await one.pass(60_000)
    await one.until(lease, 'proved')
    expect(await read(storage, 'tickets', '4711/mail.txt')).toBeUndefined()
    const proved = (await one.as('admin', `GET /v1/leases/${lease}`)).body
    expect(proved).toMatchObject({ state: 'ended', cause: 'killed', proof: { method: 'canary' } })
    expect(Date.parse(proved.exposed_until)).toBeLessThanOrEqual(one.time.wall())
    expect(sandbox.isDisabled(FIRST)).toBe(true)

    sandbox.setDisabled(FIRST, false)
    await one.pass(60_000)
    expect(await read(storage, 'tickets', '4711/mail.txt')).toBe('the printer burns')
    for (let n = 0; n < 70 && !sandbox.isDisabled(FIRST); n += 1) await one.pass(1_000)
    expect(sandbox.isDisabled(FIRST)).toBe(true)
    const events = (await one.as('admin', 'GET /v1/audit?limit=500')).body.items
    expect(events.map(({ type }: { type: string }) => type)).toContain('lease.containment_lost')
  })
})
