import { expect, it, onTestFinished } from 'vitest'
import { gcp } from '../../providers/gcp/index.ts'
import { vault as vaultDefinition } from '../../providers/vault/index.ts'
import { untilDeath } from '../../src/broker/surely.ts'
import { ManualTime, START } from '../fixture/time.ts'
import { type UpstreamHouse, upstreamHouse } from '../fixture/upstream-house.ts'
import { awsHouse } from '../providers/aws-sts/aws-house.ts'
import { POOL, SECRETS, settingsFor, startSandbox, VIEW_TICKETS } from '../providers/gcp/fixture.ts'
import { startVaultUpstream } from '../providers/vault/upstream.ts'
import { Faults } from '../sandbox/faults.ts'
import { Ledger } from '../sandbox/ledger.ts'
import { enforced, Scripted, station } from './fixture.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

interface Place {
  readonly one: UpstreamHouse
  readonly ledger: Ledger
  readonly faults: Faults
}

/** Upstreams go by the time that really passes, however the broker's clock is set. */
function real(time: ManualTime): () => number {
  return () => START + time.monotonic()
}

async function onVault(time = new ManualTime(), now = real(time)): Promise<Place> {
  const [ledger, faults] = [new Ledger(), new Faults()]
  const { vault, settings, secrets } = await startVaultUpstream({ now, ledger, faults })
  onTestFinished(() => vault.close())
  const one = await upstreamHouse({
    time,
    definition: vaultDefinition,
    settings,
    secrets,
    target: { kind: 'token' },
    intent: [{ type: 'vault', actions: ['read'], locations: ['secret/data/tickets/*'] }],
  })
  return { one, ledger, faults }
}

async function onAws(time = new ManualTime(), now = real(time)): Promise<Place> {
  const { house: one, ledger, faults } = await awsHouse({ time, now })
  return { one, ledger, faults }
}

async function shown({ one }: Place, lease: string) {
  const { body } = await one.as('admin', `GET /v1/leases/${lease}`)
  return body
}

/** Lets time pass second by second; what works must not be called over at any of them. */
async function watch(place: Place, lease: string, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5_000) {
    await place.one.pass(5_000)
    const works = place.ledger.working().some(({ name }) => name?.startsWith('mf-'))
    if (works) expect(await shown(place, lease)).toMatchObject({ state: 'ending' })
  }
}

it('P6: a clock an hour ahead ends a session of AWS there; it is over when AWS says so', async () => {
  const place = await onAws()
  const { lease } = await place.one.lend()
  place.one.time.stepWall(HOUR)
  await place.one.pass(1_000)
  expect(await shown(place, lease)).toMatchObject({ state: 'ending' })
  await place.one.until(lease, 'enforced')
  expect(place.ledger.working()).toHaveLength(1)
  await place.one.pass(4_000)
  expect(place.ledger.working()).toEqual([])
  await watch(place, lease, 14 * MINUTE)
  expect(await shown(place, lease)).toMatchObject({ state: 'ending', containment: 'enforced' })
  await place.one.pass(3 * MINUTE)
  expect(await shown(place, lease)).toMatchObject({ state: 'ended', containment: 'expired' })
}, 60_000)

it('P6: while Vault cannot end it, a token that a stepped clock calls expired is not over', async () => {
  const place = await onVault()
  const { lease } = await place.one.lend()
  const ends = ['DELETE sys/policies/acl', 'POST auth/token/revoke-accessor']
  for (const operation of ends) place.faults.plan(operation, { kind: 'fail', status: 500 })
  place.one.time.stepWall(HOUR)
  await watch(place, lease, 4 * MINUTE)
  expect(place.ledger.working().filter(({ name }) => name?.startsWith('mf-'))).toHaveLength(1)
  const ending = (await place.one.as('admin', 'GET /v1/endings')).body.items
  expect(ending).toMatchObject([{ lease, attempts: expect.any(Number) }])
  expect(ending[0].attempts).toBeGreaterThan(2)
  await watch(place, lease, 3 * MINUTE)
  expect(await shown(place, lease)).toMatchObject({ state: 'ended', containment: 'expired' })
}, 60_000)

it('P6: an account of a pool is not given back while a stepped clock calls its token dead', async () => {
  const time = new ManualTime()
  const { sandbox, ledger } = await startSandbox(1_000, real(time))
  onTestFinished(() => sandbox.close())
  const one = await upstreamHouse({
    time,
    definition: gcp,
    settings: settingsFor(sandbox),
    secrets: SECRETS,
    target: { service_accounts: POOL },
    intent: VIEW_TICKETS,
  })
  const place = { one, ledger, faults: sandbox.faults }
  const { lease } = await one.lend()
  const slot = POOL[0] ?? ''
  time.stepWall(HOUR)
  await one.until(lease, 'enforced')
  await watch(place, lease, 4 * MINUTE)
  expect(sandbox.isDisabled(slot)).toBe(true)
  expect(await shown(place, lease)).toMatchObject({ state: 'ending', containment: 'enforced' })
  await one.pass(4 * MINUTE)
  expect(await shown(place, lease)).toMatchObject({ state: 'ended', containment: 'expired' })
  expect(sandbox.isDisabled(slot)).toBe(false)
  expect(ledger.working()).toEqual([])
}, 60_000)

it('P6: an AWS whose clock is set back says until when it honours what expired here', async () => {
  const time = new ManualTime()
  let behind = 0
  const place = await onAws(time, () => time.wall() - behind)
  const { lease } = await place.one.lend()
  behind = 10 * MINUTE
  await place.one.pass(5 * MINUTE - 1_000)
  const { native_expires_at: native } = await shown(place, lease)
  await place.one.until(lease, 'enforced')
  expect(place.ledger.working()).toHaveLength(1)
  const known = Date.parse((await shown(place, lease)).exposed_until)
  expect(known).toBeGreaterThanOrEqual(Date.parse(native) + behind)
  expect(known).toBeLessThan(Date.parse(native) + behind + 3_000)
  await place.one.pass(19 * MINUTE)
  expect(await shown(place, lease)).toMatchObject({ state: 'ending' })
  await place.one.pass(3 * MINUTE)
  expect(await shown(place, lease)).toMatchObject({ state: 'ended', containment: 'expired' })
}, 60_000)

it.each([
  ['AWS', onAws],
  ['Vault', onVault],
])(
  'P6: a proxy on the same machine that answers for %s does not tell its time',
  async (_, on) => {
    const place = await on()
    const { lease } = await place.one.lend()
    const by = () => place.one.time.wall()
    place.faults.plan('*', { kind: 'fail', status: 502, by })
    place.one.time.stepWall(HOUR)
    await watch(place, lease, 2 * MINUTE)
    expect(place.ledger.working().filter(({ name }) => name?.startsWith('mf-'))).toHaveLength(1)
    expect(await shown(place, lease)).toMatchObject({ state: 'ending' })
  },
  60_000,
)

it.each([
  ['AWS', onAws],
  ['Vault', onVault],
])(
  'a machine that slept believes %s within a minute',
  async (_, on) => {
    const time = new ManualTime()
    const place = await on(time, time.wall)
    const { lease } = await place.one.lend()
    for (const operation of ['PutRolePolicy', 'DELETE sys/policies/acl'])
      place.faults.plan(operation, { kind: 'fail', status: 500 })
    time.stepWall(HOUR)
    await place.one.pass(62_000)
    expect(place.ledger.working().filter(({ name }) => name?.startsWith('mf-'))).toEqual([])
    expect(await shown(place, lease)).toMatchObject({ state: 'ended', containment: 'expired' })
  },
  60_000,
)

it('P8: what a clock set forward ends at once leaves the places that are kept for kills', async () => {
  const upstream = new Scripted()
  const time: { now: () => number } = { now: () => 0 }
  upstream.upstreamTime = () => time.now()
  upstream.revoke = async ({ orders }) => orders.map(enforced)
  const one = station({ upstream })
  time.now = real(one.time)
  await one.start()
  const places = { group: 'role', groupCapacity: 3 }
  const lent = async (agent: string) => one.active(await one.openTask({ agent }), places)
  for (const lease of [await lent('a'), await lent('a')]) await one.end(lease)
  const rest = [await lent('b'), await lent('c')]
  await one.pass(1_000)
  one.time.stepWall(HOUR)
  await one.pass(30_000)
  const refused = new Set(upstream.names().flat())
  expect(rest.filter(({ upstreamName }) => refused.has(upstreamName))).toHaveLength(1)
})

it('P13: what is dead already is looked at again once a second, not all the time', async () => {
  const one = station({ upstream: new Scripted() })
  const lease = await one.active(await one.openTask())
  const latestPossibleExpiry = one.broker.clock.now() - 1
  expect(untilDeath(one.broker, { ...lease, latestPossibleExpiry })).toBe(1_000)
})

it('P6: where an upstream never tells the time, what a step calls expired is still ended there', async () => {
  const upstream = new Scripted()
  upstream.revoke = () => Promise.reject(new Error('away'))
  const one = station({ upstream })
  const lease = await one.active(await one.openTask())
  await one.start()
  one.time.stepWall(HOUR)
  await one.pass(5 * MINUTE)
  expect(upstream.calls.length).toBeGreaterThan(3)
  expect(await one.lease(lease.id)).toMatchObject({ state: 'ending', containment: 'pending' })
  await one.pass(MINUTE)
  expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', containment: 'expired' })
})
