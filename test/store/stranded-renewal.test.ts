import { expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { behind, lasting } from '../fixture/behind.ts'
import { testBroker } from '../fixture/broker.ts'
import { type Api, testApi } from '../fixture/http.ts'

/** The disk takes no end of a renewal while this stands in it. */
const FULL = 'full'
const REFUSES_WHEN_FULL = `
  create trigger full before update of renewing on leases
  when old.renewing = 1 and new.renewing = 0
    and (select value from meta where key = 'enforced_world') = '${FULL}'
  begin select raise(abort, 'database or disk is full'); end`

/** A house whose disk a test can fill and empty. */
async function narrow(): Promise<Api> {
  const place = lasting()
  await (await testBroker(place)).close()
  behind(place, REFUSES_WHEN_FULL)
  return await testApi(place)
}

const disk = (store: Store, state: 'full' | 'roomy') => store.noteEnforced(state)

async function renewedOnFullDisk(mint: 'ok' | 'refuse' | 'unknown') {
  const house = await narrow()
  const { store, upstream, clock } = house
  const task = await house.open()
  const { lease } = (await house.issue(task)).body
  await house.advance(60_000)
  const before = await store.leases.byId(lease.id)
  const renew = async () =>
    await house.refusal(`POST /v1/leases/${lease.id}/renew`, { token: task.token, body: {} })
  await disk(store, 'full')
  upstream.mint = mint
  expect(await renew()).toBe('503 unavailable')
  expect(await store.leases.settleStranded(clock.now(), 10).catch(() => 'still full')).toBe(
    'still full',
  )
  upstream.mint = 'ok'
  expect(await renew()).toBe('409 in_flight')
  await disk(store, 'roomy')
  return { ...house, lease, before, renew }
}

it('P13: a renewal whose failure could not be committed can be tried again, and claims no exposure it has not', async () => {
  const { store, clock, lease, before, renew } = await renewedOnFullDisk('refuse')
  expect(await store.leases.settleStranded(clock.now(), 10)).toBe(1)
  expect(await store.leases.settleStranded(clock.now(), 10)).toBe(0)
  const { state, exposedUntil, latestPossibleExpiry } = before ?? {}
  const settled = await store.leases.byId(lease.id)
  expect(settled).toMatchObject({ state, exposedUntil, latestPossibleExpiry })
  expect(settled?.lastError).toContain('AccessDenied')
  expect(await renew()).toBe('200 undefined')
  expect(await store.leases.byId(lease.id)).toMatchObject({ state: 'active', generation: 2 })
})

it('P13: one of unknown outcome keeps the later exposure', async () => {
  const { store, clock, lease, before, renew } = await renewedOnFullDisk('unknown')
  await store.leases.settleStranded(clock.now(), 10)
  const settled = await store.leases.byId(lease.id)
  expect(settled?.expiresAt).toBe(before?.expiresAt)
  expect(settled?.exposedUntil).toBeGreaterThan(before?.exposedUntil ?? Infinity)
  expect(await renew()).toBe('200 undefined')
})

it('P1: one that the upstream granted is known although its secret reached nobody', async () => {
  const { store, clock, lease, before, upstream, renew } = await renewedOnFullDisk('ok')
  await store.leases.settleStranded(clock.now(), 10)
  const [, granted] = upstream.minted
  expect(await store.leases.byId(lease.id)).toMatchObject({
    state: 'active',
    generation: 1,
    expiresAt: before?.expiresAt,
    nativeExpiresAt: granted?.nativeExpiresAt,
  })
  expect(await renew()).toBe('200 undefined')
  expect(upstream.minted).toHaveLength(3)
})

it('P6: one whose lease was ended meanwhile does not keep that end from being proved', async () => {
  const { store, clock, lease, upstream } = await renewedOnFullDisk('ok')
  const now = clock.now()
  await store.leases.end({ id: lease.id, cause: 'ended', lane: 'end', actor: 'mayfly', now })
  await store.leases.settleStranded(now, 10)
  const [queued] = await store.endings.due('upstream', now, 10)
  expect(queued?.lease).toMatchObject({ id: lease.id, containment: 'pending', dueAt: now })
  await store.endings.contained({
    id: lease.id,
    handle: queued?.lease.handle ?? null,
    containment: 'proved',
    exposedUntil: now,
    proof: { method: 'lookup', at: now },
    nextDue: null,
    now,
  })
  expect(await store.leases.byId(lease.id)).toMatchObject({ state: 'ended' })
  expect(upstream.minted).toHaveLength(2)
})
