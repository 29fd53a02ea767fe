import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { gcp } from '../../../providers/gcp/index.ts'
import type { EndOrder, EndOutcome, Provider } from '../../../src/provider.ts'
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
} from './fixture.ts'

const [FIRST = ''] = POOL

describe('the pool of service accounts', () => {
  let sandbox: GcpSandbox
  let provider: Provider
  let clock: TestClock
  let settings: unknown

  beforeEach(async () => {
    ;({ sandbox } = await startSandbox(100))
    clock = new TestClock()
    settings = settingsFor(sandbox)
    provider = createProvider({ settings, clock })
  })
  afterEach(async () => {
    await provider.close()
    await sandbox.close()
  })

  async function end(order: EndOrder): Promise<EndOutcome | undefined> {
    return (await provider.revoke?.(revokeBatch(order)))?.[0]
  }
  async function release(order: EndOrder): Promise<EndOutcome | undefined> {
    return (await provider.release?.([order]))?.[0]
  }

  it('P6: an end is enforced, never proved, and exposed until the token dies by itself', async () => {
    const order = orderFor({ settings, clock })
    const minted = await provider.mint(order)
    const outcome = await end(endOf(order, minted))
    expect(outcome).toEqual({
      lease: order.lease,
      ok: true,
      containment: 'enforced',
      exposedUntil: minted.nativeExpiresAt,
    })
    expect(sandbox.isDisabled(FIRST)).toBe(true)
    const storage = storageWith(tokenOf(minted), sandbox)
    expect(await read(storage, 'tickets', '4711/mail.txt')).toBe('the printer burns')
    await sleep(120)
    expect(await read(storage, 'tickets', '4711/mail.txt')).toBeUndefined()
  })

  it('P6: a mint of unknown outcome is exposed until the latest it could die', async () => {
    const order = endOf(orderFor({ settings, clock }), null)
    expect(await end(order)).toMatchObject({ ok: true, exposedUntil: order.latestPossibleExpiry })
  })

  it('P6: a renewal of unknown outcome is counted in, whatever the first token’s expiry', async () => {
    const order = orderFor({ settings, clock })
    const known = endOf(order, await provider.mint(order))
    const renewed = { ...known, latestPossibleExpiry: known.latestPossibleExpiry + 40_000 }
    expect(await end(renewed)).toMatchObject({ exposedUntil: renewed.latestPossibleExpiry })
  })

  it('P6: notices a disable that Google only pretended', async () => {
    const order = orderFor({ settings, clock })
    const minted = await provider.mint(order)
    sandbox.faults.plan('disable', { kind: 'lie' }, 1)
    expect(await end(endOf(order, minted))).toMatchObject({
      ok: false,
      error: expect.stringContaining('did nothing'),
    })
    expect(await end(endOf(order, minted))).toMatchObject({ ok: true })
  })

  it('P6: one failing account of a batch leaves the others their own outcome', async () => {
    const orders = POOL.map((slot) => orderFor({ settings, clock, slot }))
    sandbox.faults.plan('disable', { kind: 'fail', status: 503 }, 1)
    const outcomes = await provider.revoke?.(revokeBatch(...orders.map((o) => endOf(o, null))))
    expect(outcomes?.map((outcome) => outcome.lease)).toEqual(orders.map((order) => order.lease))
    expect(outcomes?.filter((outcome) => outcome.ok)).toHaveLength(2)
    expect(POOL.filter((email) => sandbox.isDisabled(email))).toHaveLength(2)
  })

  it('P6: gives an account back only when its last token has died, since enabling revives', async () => {
    const order = orderFor({ settings, clock })
    const minted = await provider.mint(order)
    const ended = endOf(order, minted)
    await end(ended)
    await sleep(120)
    const storage = storageWith(tokenOf(minted), sandbox)
    expect(await read(storage, 'tickets', '4711/mail.txt')).toBeUndefined()

    expect(await release(ended)).toMatchObject({
      ok: false,
      error: expect.stringContaining('would revive it'),
    })
    clock.advance(ended.latestPossibleExpiry - clock.now() - 1_000)
    expect(await release(ended)).toMatchObject({ ok: false })
    expect(sandbox.isDisabled(FIRST)).toBe(true)

    clock.advance(2_000)
    expect(await release(ended)).toMatchObject({
      ok: false,
      error: expect.stringContaining('free'),
    })
    expect(sandbox.isDisabled(FIRST)).toBe(false)
    await sleep(120)
    // Only the broker's clock went on: at the sandbox the token lives, and this is the danger.
    expect(await read(storage, 'tickets', '4711/mail.txt')).toBe('the printer burns')
  })

  it('P6: an account whose lease just ran out is given back without touching it', async () => {
    const order = endOf(orderFor({ settings, clock }), null)
    clock.advance(400_000)
    sandbox.faults.plan('enable', { kind: 'fail', status: 500 })
    expect(await release(order)).toMatchObject({ ok: true })
  })

  it('P6: notices an enable that did nothing, and keeps the account', async () => {
    const order = endOf(orderFor({ settings, clock }), null)
    await end(order)
    clock.advance(400_000)
    sandbox.faults.plan('enable', { kind: 'lie' }, 1)
    expect(await release(order)).toMatchObject({ ok: false })
    expect(sandbox.isDisabled(FIRST)).toBe(true)
  })

  it('P6: an enable whose answer was lost may land late: the account waits for it', async () => {
    const order = endOf(orderFor({ settings, clock }), null)
    await end(order)
    clock.advance(400_000)
    sandbox.faults.plan('enable', { kind: 'lose' }, 1)
    expect(await release(order)).toMatchObject({ ok: false })
    expect(await release(order)).toMatchObject({
      ok: false,
      error: expect.stringContaining('may still take effect'),
    })
    clock.advance(121_000)
    expect(await release(order)).toMatchObject({ ok: true })
  })

  it('an account is free again only when its enabling is known everywhere', async () => {
    const order = endOf(orderFor({ settings, clock }), null)
    await end(order)
    clock.advance(400_000)
    expect(await release(order)).toMatchObject({ ok: false })
    clock.advance(119_000)
    expect(await release(order)).toMatchObject({ ok: false })
    clock.advance(2_000)
    expect(await release(order)).toMatchObject({ ok: true })
    await sleep(120)
    await provider.mint(orderFor({ settings, clock }))
  })

  it('P6: an end asked for again writes nothing, until somebody enabled the account', async () => {
    const order = endOf(orderFor({ settings, clock }), null)
    await end(order)
    sandbox.faults.plan('disable', { kind: 'fail', status: 429 })
    expect(await end(order)).toMatchObject({ ok: true })
    sandbox.setDisabled(FIRST, false)
    expect(await end(order)).toMatchObject({ ok: false })
    sandbox.faults.clear()
    expect(await end(order)).toMatchObject({ ok: true })
    expect(sandbox.isDisabled(FIRST)).toBe(true)
  })

  it('P6: gives back what no lease holds only when all that was minted on it is dead', async () => {
    sandbox.setDisabled(FIRST, true)
    const give = () => provider.giveBack?.([FIRST])
    const refused = [{ slot: FIRST, ok: false, error: expect.stringContaining('alive') }]
    expect(await give()).toEqual(refused)
    await provider.inventory?.({ groups: [], slots: [FIRST] })
    clock.advance((3_600 + 420) * 1_000)
    expect(await give()).toEqual(refused)
    // Enabled for a moment in between: a token may have been made, so it counts anew.
    sandbox.setDisabled(FIRST, false)
    await provider.inventory?.({ groups: [], slots: [FIRST] })
    sandbox.setDisabled(FIRST, true)
    await provider.inventory?.({ groups: [], slots: [FIRST] })
    clock.advance((3_600 + 420) * 1_000)
    expect(await give()).toEqual(refused)
    clock.advance(31_000)
    expect(await give()).toEqual([{ slot: FIRST, ok: true }])
    expect(sandbox.isDisabled(FIRST)).toBe(false)
  })

  it('P6: a restored store revives nothing that was minted since it was copied', async () => {
    const before = endOf(orderFor({ settings, clock }), null)
    clock.advance(before.latestPossibleExpiry - clock.now() + 1_000)
    // The copy does not know of this one, nor that it was ended.
    const since = orderFor({ settings, clock, ttlSeconds: 3_600 })
    const minted = await provider.mint(since)
    await end(endOf(since, minted))
    await sleep(120)
    const storage = storageWith(tokenOf(minted), sandbox)

    const writer = { restoredAt: clock.now() }
    const restored = createProvider({ settings, clock, writer })
    const free = async (order: EndOrder) => (await restored.release?.([order]))?.[0]
    expect(await free(before)).toMatchObject({
      ok: false,
      error: expect.stringContaining('would revive it'),
    })
    clock.advance((3_600 + 420) * 1_000)
    expect(await free(before)).toMatchObject({ ok: false })
    expect(sandbox.isDisabled(FIRST)).toBe(true)
    expect(await read(storage, 'tickets', '4711/mail.txt')).toBeUndefined()
    clock.advance(31_000)
    await free(before)
    expect(sandbox.isDisabled(FIRST)).toBe(false)
    await restored.close()
  })

  it('P6: after a restore an account lent since is given back as ever', async () => {
    const own = endOf(orderFor({ settings, clock }), null)
    const latestExpiry = () => own.latestPossibleExpiry
    const writer = { restoredAt: clock.now(), latestExpiry }
    const restored = createProvider({ settings, clock, writer })
    await restored.revoke?.(revokeBatch(own))
    clock.advance(own.latestPossibleExpiry - clock.now() + 1_000)
    await restored.release?.([own])
    expect(sandbox.isDisabled(FIRST)).toBe(false)
    await restored.close()
  })

  it('P6: a refused enable is just tried again', async () => {
    const order = endOf(orderFor({ settings, clock }), null)
    await end(order)
    clock.advance(400_000)
    sandbox.faults.plan('enable', { kind: 'fail', status: 403 }, 1)
    expect(await release(order)).toMatchObject({ ok: false })
    expect(sandbox.isDisabled(FIRST)).toBe(true)
    await release(order)
    expect(sandbox.isDisabled(FIRST)).toBe(false)
  })

  it('P6: says that leases of a shared account end by expiry only', async () => {
    const target = gcp.target.parse({ service_account: SHARED, shared: true })
    const order = orderFor({ settings, clock, target, slot: null })
    expect(await end(endOf(order, null))).toMatchObject({
      ok: false,
      error: expect.stringContaining('by expiry'),
    })
    expect(sandbox.isDisabled(SHARED)).toBe(false)
  })

  it('P6: never switches an account that is not the lease’s slot of its pool', async () => {
    const order = endOf(orderFor({ settings, clock }), null)
    for (const slot of [null, SHARED]) {
      expect(await end({ ...order, slot })).toMatchObject({ ok: false })
    }
    expect(sandbox.isDisabled(SHARED)).toBe(false)
  })

  it('P6: a resumable upload outlives the token, so a writer’s lease names it as residual', async () => {
    const intent = [
      {
        type: 'gcp',
        actions: ['inRole:roles/storage.objectCreator'],
        locations: ['gs://tickets/out/*'],
      },
    ]
    const order = orderFor({ settings, clock, intent })
    const minted = await provider.mint(order)
    const bucket = storageWith(tokenOf(minted), sandbox).bucket('tickets')
    const [uri] = await bucket.file('out/later.txt').createResumableUpload()
    await end(endOf(order, minted))
    await sleep(120)
    const refused = bucket.file('out/now.txt').save('x', { resumable: false })
    await expect(refused).rejects.toMatchObject({ code: 401 })
    await fetch(uri, { method: 'PUT', body: 'written after the end' })
    expect(sandbox.readObject('tickets', 'out/later.txt')).toBe('written after the end')
    const description = gcp.describe({
      settings: gcp.settings.parse(settings),
      target: order.target,
      intent,
    })
    expect(description).toMatchObject({ residuals: ['gcs-resumable-upload'] })
  })

  it('P1: a mint after the end is refused, so a late renewal gets nothing', async () => {
    const order = orderFor({ settings, clock })
    await end(endOf(order, await provider.mint(order)))
    await sleep(120)
    await expect(provider.mint({ ...order, generation: 2 })).rejects.toMatchObject({
      outcome: 'refused',
      upstreamCode: 'FAILED_PRECONDITION',
    })
  })
})
