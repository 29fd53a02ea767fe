import { describe, expect, it } from 'vitest'
import { reconcileProvider } from '../../src/broker/reconcile.ts'
import type { Lease } from '../../src/model/lease.ts'
import { type EndOutcome, type InventoryItem, UpstreamError } from '../../src/provider.ts'
import { enforced, Scripted, type Station, station } from './fixture.ts'

const GROUP = { group: 'role', groupCapacity: 50 }

/** One upstream that lists what a test puts into `items`. */
function scene(change: Partial<Pick<Scripted, 'prove' | 'giveBack'>> = {}) {
  const upstream = Object.assign(new Scripted(), change)
  const items: InventoryItem[] = []
  upstream.inventory = async () => [...items]
  return { upstream, items, one: station({ upstream }) }
}

function reconcile(one: Station, repair: 'nothing' | 'containment' | 'everything' = 'everything') {
  return reconcileProvider(one.broker, 'upstream', { repair, actor: 'operator:on-call' })
}

/** A lease that was ended and seen refused a while ago. */
async function endedLease(one: Station, change = {}): Promise<Lease> {
  const lease = await one.active(await one.openTask(), change)
  await one.end(lease)
  await one.pass(2_000)
  return await one.lease(lease.id)
}

describe('P6: an upstream that accepts again what it had refused', () => {
  it('P6: a token that works again although its lease was proved is ended again', async () => {
    const { upstream, items, one } = scene()
    await one.start()
    const lease = await endedLease(one)
    expect(lease).toMatchObject({ state: 'ended', containment: 'proved', cause: 'ended' })
    items.push({ upstreamName: lease.upstreamName, what: 'token with accessor a', works: true })
    upstream.revoke = () => new Promise<EndOutcome[]>(() => {})
    const { findings } = await reconcile(one)
    expect(findings).toMatchObject([{ drift: { kind: 'containment-lost' }, repair: 'done' }])
    expect(await one.lease(lease.id)).toMatchObject({
      state: 'ending',
      containment: 'unknown',
      cause: 'ended',
      proof: null,
      endedAt: null,
      exposedUntil: lease.latestPossibleExpiry,
      lane: 'end',
    })
    const [event] = (await one.store.audit.read(0, 1_000, { lease: lease.id })).filter(
      ({ type }) => type === 'lease.containment_lost',
    )
    expect(event).toMatchObject({ actor: 'operator:on-call', tenant: 'support' })
    expect(event?.data).toMatchObject({ state: 'ended', containment: 'proved' })
    expect(one.broker.health.lostContainments()).toEqual(new Map([['upstream', 1]]))
    expect(one.logged).toContainEqual({
      level: 'error',
      message: expect.stringContaining('containment lost'),
    })
    await one.pass(1)
    expect(upstream.calls).toHaveLength(2)
  })

  it('P6: one that was killed is chased in the lane of kills', async () => {
    const { upstream, items, one } = scene()
    await one.start()
    const lease = await one.active(await one.openTask())
    await one.kill({ lease: lease.id })
    await one.pass(2_000)
    items.push({ upstreamName: lease.upstreamName, what: 'token', works: true })
    upstream.revoke = () => new Promise<EndOutcome[]>(() => {})
    await reconcile(one)
    expect(await one.lease(lease.id)).toMatchObject({ lane: 'kill', cause: 'killed' })
  })

  it('P6: a lease that failed and works after all is ended', async () => {
    const { upstream, items, one } = scene()
    await one.start()
    const lease = await one.reserved(await one.openTask())
    await one.store.leases.fail(lease.id, 'AccessDenied', one.clock.now())
    await one.pass(1_000)
    items.push({ upstreamName: lease.upstreamName, what: 'token', works: true })
    await reconcile(one)
    await one.pass(10)
    expect(upstream.names()).toEqual([[lease.upstreamName]])
    const now = await one.lease(lease.id)
    expect(now.cause).toBe('unknown-outcome')
    expect(now.state).not.toBe('failed')
  })

  it('P6: what outlived its latest possible expiry is exposed for an hour, not called dead', async () => {
    const { upstream, items, one } = scene()
    await one.start()
    const lease = await endedLease(one)
    await one.pass(lease.latestPossibleExpiry - one.clock.now() + 60_000)
    items.push({ upstreamName: lease.upstreamName, what: 'token', works: true })
    upstream.revoke = () => new Promise<EndOutcome[]>(() => {})
    await reconcile(one)
    await one.pass(5_000)
    const now = await one.lease(lease.id)
    expect(now.state).toBe('ending')
    expect(now.exposedUntil).toBeGreaterThan(one.clock.now() + 3_500_000)
  })

  it('P6: a deny entry that somebody removed is written again while its lease could live', async () => {
    const { upstream, items, one } = scene()
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    await one.start()
    const gone = await endedLease(one, GROUP)
    const kept = await endedLease(one, GROUP)
    expect(gone).toMatchObject({ state: 'ending', containment: 'enforced' })
    items.push({ upstreamName: kept.upstreamName, what: 'refused by a document', works: false })
    const { findings } = await reconcile(one)
    expect(findings).toMatchObject([
      { drift: { kind: 'containment-lost', upstreamName: gone.upstreamName }, repair: 'done' },
    ])
    await one.pass(10)
    expect(upstream.names().at(-1)).toEqual([gone.upstreamName])
    expect(upstream.calls.at(-1)?.stillRefused.map((order) => order.lease)).toEqual([kept.id])
    expect(await one.lease(gone.id)).toMatchObject({ state: 'ending', containment: 'enforced' })
  })

  it('P6: an entry in the document of another group refuses nothing here', async () => {
    const { upstream, items, one } = scene()
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    await one.start()
    const { id, upstreamName } = await endedLease(one, GROUP)
    const entry = { upstreamName, what: 'refused by a document', works: false }
    items.push({ ...entry, group: 'role' })
    expect((await reconcile(one)).findings).toEqual([])
    items.splice(0, 1, { ...entry, group: 'elsewhere' })
    expect((await reconcile(one)).findings).toMatchObject([
      { drift: { kind: 'containment-lost', lease: { id } }, repair: 'done' },
    ])
  })

  it('P6: a group that is gone as a whole, or cannot be seen, accuses none of its leases', async () => {
    const { upstream, items, one } = scene()
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    await one.start()
    await endedLease(one, GROUP)
    items.push({ group: 'role', what: 'the role does not exist', works: false })
    expect((await reconcile(one)).findings).toEqual([])
    items.splice(0, 1, { group: 'role', what: 'AccessDenied' })
    expect((await reconcile(one)).findings).toMatchObject([{ drift: { kind: 'unseen' } }])
  })

  it('P6: an account switched on while its lease is quarantined is switched off again', async () => {
    const { upstream, items, one } = scene()
    await one.start()
    const lease = await endedLease(one, { slots: ['a', 'b'] })
    expect(lease).toMatchObject({ state: 'ended', containment: 'proved', slot: 'a' })
    items.push({ slot: 'a', what: 'enabled', works: true })
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    await reconcile(one)
    await one.pass(10)
    expect(upstream.calls.at(-1)?.orders).toMatchObject([{ lease: lease.id, slot: 'a' }])
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ending', slot: 'a' })
  })

  it('P6: what is proved is looked at again by itself, every minute', async () => {
    const upstream = new Scripted()
    let awake = false
    upstream.prove = async (orders) =>
      orders.map(({ lease }) =>
        awake ? { lease, works: true } : { lease, proof: { method: 'canary', at: 0 } },
      )
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    const one = station({ upstream })
    await one.start()
    const lease = await endedLease(one)
    expect(lease.state).toBe('ended')
    await one.pass(120_000)
    expect((await one.lease(lease.id)).state).toBe('ended')
    awake = true
    await one.pass(61_000)
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ending', proof: null })
    expect(await one.types(lease.id)).toContain('lease.containment_lost')
  })

  it('P6: by itself it compares soon after a start, then every quarter of an hour', async () => {
    const { upstream, one } = scene()
    let asked = 0
    upstream.inventory = async () => {
      asked += 1
      return []
    }
    await one.start()
    await one.pass(121_000)
    expect(asked).toBe(1)
    await one.pass(11 * 60_000)
    expect(asked).toBe(1)
    await one.pass(9 * 60_000)
    expect(asked).toBe(2)
  })
})

describe('P6: what only looks like drift', () => {
  it('P6: a list that is older than the end accuses nobody', async () => {
    const { upstream, one } = scene()
    await one.start()
    const lease = await one.active(await one.openTask())
    upstream.inventory = async () => {
      const listed = [{ upstreamName: lease.upstreamName, what: 'token', works: true }]
      await one.end(lease)
      await one.pass(5)
      return listed
    }
    const { findings } = await reconcile(one)
    expect(findings).toEqual([])
    expect((await one.lease(lease.id)).state).toBe('ended')
  })

  it('P6: an entry that is missing because its end came meanwhile is no drift', async () => {
    const { upstream, one } = scene()
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    await one.start()
    const lease = await one.active(await one.openTask(), GROUP)
    upstream.inventory = async () => {
      await one.end(lease)
      await one.pass(5)
      return []
    }
    expect((await reconcile(one)).findings).toEqual([])
  })

  it('P3: a look that fails, or an upstream that is away, says nothing', async () => {
    const { upstream, one } = scene({ prove: () => Promise.reject(new Error('away')) })
    upstream.inventory = () => Promise.reject(new UpstreamError('unknown', 'away'))
    await one.start()
    const lease = await endedLease(one)
    await one.pass(290_000)
    expect((await one.lease(lease.id)).state).toBe('ended')
    expect(await reconcile(one)).toMatchObject({ findings: [], error: 'away' })
  })
})

describe('P6: what reconcile leaves alone', () => {
  it('P6: what no lease here knows is told, and nothing upstream is asked about it', async () => {
    const { upstream, items, one } = scene()
    await one.start()
    items.push({ upstreamName: 'mf-aaaaaaaaaaaaaaaaaaaa', what: 'refused on a role', works: false })
    items.push({ upstreamName: 'mf-bbbbbbbbbbbbbbbbbbbb', what: 'token', works: true })
    const { findings } = await reconcile(one)
    expect(findings.map(({ drift, repair }) => [drift.kind, repair])).toEqual([
      ['unknown-lease', 'none'],
      ['unknown-lease', 'none'],
    ])
    expect(upstream.calls).toEqual([])
    expect(upstream.released).toEqual([])
  })

  it('P11: who may write at one upstream moves no lease of another by its name', async () => {
    const [upstream, theirs] = [new Scripted(), new Scripted()]
    const items: InventoryItem[] = []
    theirs.inventory = async () => [...items]
    const one = station({ upstream, theirs })
    await one.start()
    const lease = await endedLease(one)
    const { upstreamName } = lease
    for (const works of [true, undefined]) {
      items.splice(0, 1, { upstreamName, what: 'token', ...(works ? { works } : {}) })
      const order = { repair: 'everything', actor: 'operator:on-call' } as const
      const { findings } = await reconcileProvider(one.broker, 'theirs', order)
      expect(findings).toMatchObject([{ drift: { kind: 'unknown-lease' }, repair: 'none' }])
      await one.pass(10)
      expect(await one.lease(lease.id)).toEqual(lease)
    }
    expect(upstream.calls).toHaveLength(1)
  })

  it('a dry run, and a run by itself, change no more than they may', async () => {
    const given: string[] = []
    const { items, one } = scene({
      giveBack: async (slots) => {
        given.push(...slots)
        return slots.map((slot) => ({ slot, ok: true }))
      },
    })
    await one.start()
    const lease = await endedLease(one)
    items.push({ upstreamName: lease.upstreamName, what: 'token', works: true })
    items.push({ slot: 'free', what: 'disabled', works: false })
    const dry = await reconcile(one, 'nothing')
    expect(dry.findings.map(({ repair }) => repair)).toEqual(['possible', 'possible'])
    expect((await one.lease(lease.id)).state).toBe('ended')
    const alone = await reconcile(one, 'containment')
    expect(alone.findings.map(({ repair }) => repair)).toEqual(['done', 'possible'])
    expect(given).toEqual([])
    await one.pass(2_000)
    const ordered = await reconcile(one, 'everything')
    expect(ordered.findings.at(-1)).toMatchObject({ drift: { kind: 'slot-off' }, repair: 'done' })
    expect(given).toEqual(['free'])
    const types = (await one.store.audit.read(0, 1_000)).map(({ type }) => type)
    expect(types).toContain('slot.given_back')
  })

  it('an active lease that its upstream does not know is told, not ended', async () => {
    const { one } = scene()
    await one.start()
    const lease = await one.active(await one.openTask())
    const young = await reconcile(one)
    expect(young.findings).toEqual([])
    await one.pass(61_000)
    const { findings } = await reconcile(one)
    expect(findings).toMatchObject([
      { drift: { kind: 'died-early', lease: { id: lease.id } }, repair: 'none' },
    ])
    expect((await one.lease(lease.id)).state).toBe('active')
  })

  it('a policy that a dead lease left behind is cleaned up', async () => {
    const { upstream, items, one } = scene()
    await one.start()
    const lease = await endedLease(one)
    items.push({ upstreamName: lease.upstreamName, what: 'policy' })
    expect((await reconcile(one)).findings).toMatchObject([
      { drift: { kind: 'left-over' }, repair: 'done' },
    ])
    await one.pass(10)
    expect(upstream.names().at(-1)).toEqual([lease.upstreamName])
    expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', dueAt: null })
  })

  it('P13: an upstream that hangs is told at the deadline', async () => {
    const { upstream, one } = scene()
    await one.start()
    upstream.inventory = () => new Promise(() => {})
    const looking = reconcile(one)
    await one.pass(95_000)
    expect(await looking).toMatchObject({ error: expect.stringContaining('deadline') })
  })

  it('P13: one that hangs while it is looked at again is told, too, and has its next turn', async () => {
    const upstream = new Scripted()
    const proved: Scripted['prove'] = async (orders) =>
      orders.map(({ lease }) => ({ lease, proof: { method: 'canary', at: 0 } }))
    upstream.prove = proved
    upstream.revoke = async ({ orders }) => orders.map(enforced)
    const one = station({ upstream })
    await one.start()
    const leases = [await endedLease(one), await endedLease(one)]
    expect(leases).toMatchObject([{ containment: 'proved' }, { containment: 'proved' }])
    upstream.prove = () => new Promise(() => {})
    const looking = reconcile(one)
    await one.pass(65_000)
    const { findings } = await looking
    expect(findings).toMatchObject([{ drift: { kind: 'unseen' }, repair: 'none' }])
    await one.pass(60_000)
    const looks = upstream.proofs.length
    await one.pass(125_000)
    expect(upstream.proofs.length).toBeGreaterThan(looks)
  })
})
