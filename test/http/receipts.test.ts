import { createHash } from 'node:crypto'
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../src/audit/chain.ts'
import { createApp } from '../../src/http/app.ts'
import { EndingQueue } from '../../src/lifecycle/ending-queue.ts'
import { MINT_DEADLINE_MS, SKEW_MS } from '../../src/model/lifetime.ts'
import type { KillReceipt, ReceiptWire } from '../../src/model/receipt.ts'
import { verifyReceipt } from '../../src/signing/verify-receipt.ts'
import { CANARY } from '../fixture/fake-provider.ts'
import { type Api, OPENING, testApi } from '../fixture/http.ts'
import { PUBLIC_URL } from '../fixture/key-holder.ts'
import { basic, FORM, introspected, ownApi, READ_TICKET, tokenOf } from '../fixture/own-api.ts'

/** Ends upstream whatever is due there. */
async function endWhatIsDue({ broker }: Api): Promise<void> {
  const queue = new EndingQueue(broker)
  await queue.dispatch()
  await queue.stop()
}

/** A receipt as the admin gets it, verified by `jose` alone against what is published. */
async function receiptOf(api: Api, path: string) {
  const { status, body, text } = await api.as('admin', `GET /v1/${path}/receipt`)
  expect(status, text).toBe(200)
  const keys = createLocalJWKSet((await api.call('GET /v1/receipt-keys')).body)
  const { payload } = await jwtVerify(body.jws, keys, {
    issuer: PUBLIC_URL,
    typ: 'mayfly-receipt+jwt',
    algorithms: ['ES256'],
    currentDate: new Date(api.clock.now()),
  })
  expect(payload).toEqual(body.claims)
  expect(text).not.toContain(CANARY)
  return { jws: body.jws as string, claims: body.claims }
}

const iso = (at: number) => new Date(at).toISOString()

function never(): never {
  throw new Error('nobody asks for this here')
}

describe('the receipt of a lease', () => {
  it('says of a lease that is active that nobody ordered its end', async () => {
    const api = await testApi()
    const task = await api.open()
    const { lease } = (await api.issue(task)).body
    await api.advance(1_500)
    const { claims } = await receiptOf(api, `leases/${lease.id}`)
    expect(claims).toMatchObject({
      sub: lease.id,
      jti: expect.stringMatching(/^rcpt_[a-z2-7]{20}$/),
      iat: Math.floor(api.clock.now() / 1_000),
      installation: 'test-house',
      as_of: iso(api.clock.now()),
    })
    expect(claims).not.toHaveProperty('aud')
    expect(claims).not.toHaveProperty('exp')
    const { workload, policy_hash, revocability, event, ...shown } = claims.lease
    expect(shown).toEqual(lease)
    expect({ workload, revocability }).toEqual({
      workload: 'corp/robot',
      revocability: 'immediate',
    })
    expect(policy_hash).toMatch(/^[0-9a-f]{64}$/)
    const log = (await api.as('admin', `GET /v1/audit?lease=${lease.id}`)).body.items
    const { seq, hash, at } = log.at(-1)
    expect(event).toEqual({ seq, hash, at })
  })

  it('says while it ends who ordered that, how far it came, and until when it may work', async () => {
    const api = await testApi()
    const task = await api.open()
    const { lease } = (await api.issue(task)).body
    await api.advance(10_000)
    const ordered = api.clock.now()
    api.upstream.revoke = 'enforced'
    const order = { selector: { lease: lease.id }, reason: 'leaked' }
    await api.as('responder', 'POST /v1/kills', order)
    await api.advanceKills()
    const pending = (await receiptOf(api, `leases/${lease.id}`)).claims.lease
    expect(pending).toMatchObject({ state: 'ending', containment: 'pending', cause: 'killed' })
    expect(pending.end).toMatchObject({
      ordered_at: iso(ordered),
      ordered_by: 'operator:responder',
    })
    expect(pending.exposed_until).toBe(lease.native_expires_at)
    const left = (Date.parse(lease.native_expires_at) - ordered) / 1_000
    expect(pending.exposed_seconds).toBe(Math.ceil(left))
    const log = (await api.as('admin', `GET /v1/audit?lease=${lease.id}`)).body.items
    const { seq, hash, at } = log.find((event: { type: string }) => event.type === 'lease.ending')
    expect(pending.end.event).toEqual({ seq, hash, at })
  })

  it('says once it is proved how it was seen, and how long it could work after the order', async () => {
    const api = await testApi()
    const task = await api.open()
    const { lease } = (await api.issue(task)).body
    await api.call(`POST /v1/leases/${lease.id}/renew`, { token: task.token, body: {} })
    await api.advance(10_000)
    await api.call(`POST /v1/leases/${lease.id}/end`, { token: task.token, body: {} })
    await api.advance(2_200)
    await endWhatIsDue(api)
    const said = (await receiptOf(api, `leases/${lease.id}`)).claims.lease
    expect(said).toMatchObject({
      state: 'ended',
      containment: 'proved',
      cause: 'ended',
      generation: 2,
      end: { ordered_by: 'agent:summariser' },
      ended_at: iso(api.clock.now()),
      exposed_until: iso(api.clock.now()),
      exposed_seconds: 3,
    })
    expect(said.proof).toMatchObject({ method: expect.any(String), at: expect.any(String) })
  })

  it('says of one that ran out that it expired, and by then it was over', async () => {
    const api = await testApi()
    const task = await api.open({ ttl_seconds: 3600 })
    const { lease } = (await api.issue(task)).body
    api.upstream.revoke = 'fail'
    await api.advance(300_000)
    const at = api.clock.now()
    await api.store.leases.expire({ latest: at, now: at, limit: 9 })
    await endWhatIsDue(api)
    await api.advance(SKEW_MS + MINT_DEADLINE_MS + 600_000)
    await api.store.endings.runOut('upstream', api.clock.now(), 9)
    const said = (await receiptOf(api, `leases/${lease.id}`)).claims.lease
    expect(said).toMatchObject({ state: 'ended', containment: 'expired', cause: 'expired' })
    expect(said.end).toMatchObject({ ordered_at: iso(at), ordered_by: 'mayfly' })
    expect(said.exposed_until).toBe(lease.native_expires_at)
    expect(said).not.toHaveProperty('proof')
  })

  it('says of a mint whose answer was lost that it may work, and of one refused that it never was', async () => {
    const api = await testApi()
    const task = await api.open()
    api.upstream.mint = 'unknown'
    await api.issue(task)
    api.upstream.mint = 'refuse'
    await api.issue(task)
    const leases = await api.store.leases.list({ tenants: null }, { limit: 9, after: undefined })
    const [lost, refused] = ['ending', 'failed'].map((state) =>
      leases.find((l) => l.state === state),
    )
    const chased = (await receiptOf(api, `leases/${lost?.id}`)).claims.lease
    expect(chased).toMatchObject({ containment: 'pending', cause: 'unknown-outcome' })
    expect(chased.exposed_until).toBe(iso(lost?.latestPossibleExpiry ?? 0))
    const never = (await receiptOf(api, `leases/${refused?.id}`)).claims.lease
    expect(never.state).toBe('failed')
    expect(never).not.toHaveProperty('exposed_until')
    expect(never).not.toHaveProperty('exposed_seconds')
  })

  it('P15: tells a task what kind of party ended its lease, and no name', async () => {
    const api = await testApi()
    const task = await api.open()
    const { lease } = (await api.issue(task)).body
    const order = { selector: { lease: lease.id }, reason: 'leaked' }
    await api.as('responder', 'POST /v1/kills', order)
    await api.advanceKills()
    const { body } = await api.call(`GET /v1/leases/${lease.id}/receipt`, { token: task.token })
    expect(body.claims.lease.end.ordered_by).toBe('operator')
    expect(JSON.stringify(body.claims)).not.toContain('responder')
  })
})

describe('the receipt of a kill', () => {
  it('says who ordered it when, and of each lease what became of it', async () => {
    const api = await testApi()
    const task = await api.open()
    const ids: string[] = []
    for (let n = 0; n < 3; n += 1) ids.push((await api.issue(task)).body.lease.id)
    await api.advance(5_000)
    const ordered = api.clock.now()
    const order = { selector: { agent: 'summariser' }, reason: 'compromised' }
    const { kill } = (await api.as('responder', 'POST /v1/kills', order)).body
    const before = (await receiptOf(api, `kills/${kill.id}`)).claims.kill
    expect(before).toMatchObject({ complete: false, exposed_seconds: 0, leases: { total: 0 } })
    expect(before).not.toHaveProperty('exposed_until')

    await api.advanceKills()
    const pending = (await receiptOf(api, `kills/${kill.id}`)).claims.kill
    expect(pending).toMatchObject({ complete: true, containment: { pending: 3, proved: 0 } })
    expect(pending.exposed_until).toBe(iso(ordered + 295_000))

    await api.advance(1_500)
    await endWhatIsDue(api)
    const { claims } = await receiptOf(api, `kills/${kill.id}`)
    expect(claims.sub).toBe(kill.id)
    const { event, leases, ...said } = claims.kill
    expect(said).toEqual({
      id: kill.id,
      selector: order.selector,
      reason: 'compromised',
      ordered_by: 'operator:responder',
      ordered_at: iso(ordered),
      block: kill.block,
      matched: { leases: 3, tasks: 1, agents: 1 },
      complete: true,
      containment: { pending: 0, enforced: 0, proved: 3, expired: 0, unknown: 0 },
      exposed_until: iso(api.clock.now()),
      exposed_seconds: 2,
    })
    expect(leases.lines.map((line: { lease: string }) => line.lease)).toEqual(ids.toSorted())
    expect(leases.lines[0]).toMatchObject({
      state: 'ended',
      containment: 'proved',
      cause: 'killed',
    })
    expect(leases.total).toBe(3)
    const whole = createHash('sha256').update(canonicalJson(leases.lines)).digest('hex')
    expect(leases.sha256).toBe(whole)
    const log = (await api.as('admin', 'GET /v1/audit?limit=500')).body.items
    const { seq, hash, at } = log.find((one: { type: string }) => one.type === 'kill.ordered')
    expect(event).toEqual({ seq, hash, at })
  })

  it('of a kill of thousands shows a thousand, and speaks of all by their hash', async () => {
    const api = await testApi()
    const order = { selector: { agent: 'summariser' }, reason: 'compromised' }
    const { kill } = (await api.as('responder', 'POST /v1/kills', order)).body
    const all = Array.from({ length: 4_500 }, (_, n) => ({
      id: `lease_${String(n).padStart(20, '0')}` as const,
      state: 'ended' as const,
      containment: n % 2 === 0 ? ('proved' as const) : ('expired' as const),
      proof: null,
      cause: 'killed' as const,
      exposedUntil: api.clock.now() + n,
      endedAt: api.clock.now(),
    }))
    const leasesOfKill: typeof api.store.receipts.leasesOfKill = async (_, { after, limit }) =>
      all.filter(({ id }) => after === undefined || id > after).slice(0, limit)
    const { store } = api
    const receipts = { ...store.receipts, leasesOfKill }
    const broker = { ...api.broker, store: { ...store, receipts } }
    const app = createApp(broker, { ready: async () => [], reload: async () => never() })
    const headers = { authorization: `Bearer ${api.operators.admin}` }
    const answer = await app.request(`/v1/kills/${kill.id}/receipt`, { headers })
    const said = ((await answer.json()) as ReceiptWire).claims as { kill: KillReceipt }
    expect(said.kill.containment).toMatchObject({ proved: 2_250, expired: 2_250 })
    expect(said.kill.exposed_until).toBe(iso(api.clock.now() + 4_499))
    expect(said.kill.leases.lines).toHaveLength(1_000)
    expect(said.kill.leases.total).toBe(4_500)
    const lines = all.map(({ id, state, containment, cause, exposedUntil, endedAt }) => ({
      ...{ lease: id, state, containment, cause },
      ...{ exposed_until: iso(exposedUntil), ended_at: iso(endedAt) },
    }))
    const whole = createHash('sha256').update(canonicalJson(lines)).digest('hex')
    expect(said.kill.leases.sha256).toBe(whole)
  })

  it('P11: is for operators alone', async () => {
    const api = await testApi()
    const task = await api.open()
    const order = { selector: { agent: 'biller' }, reason: 'drill' }
    const { kill } = (await api.as('responder', 'POST /v1/kills', order)).body
    const { token } = task
    expect(await api.refusal(`GET /v1/kills/${kill.id}/receipt`, { token })).toBe('403 forbidden')
  })

  it('of a kill that an operator of one tenant ordered names that tenant', async () => {
    const api = await testApi()
    const order = { selector: { all: true }, reason: 'drill' }
    const { kill } = (await api.as('support', 'POST /v1/kills', order)).body
    await api.advanceKills()
    const { claims } = await receiptOf(api, `kills/${kill.id}`)
    expect(claims.kill).toMatchObject({ tenants: ['support'], exposed_seconds: 0, complete: true })
    const none = createHash('sha256').update('[]').digest('hex')
    expect(claims.kill.leases).toEqual({ total: 0, sha256: none, lines: [] })
  })
})

describe('P10: a receipt is no credential', () => {
  it('P10: it is refused as evidence, as task token, at introspection, exchange and revocation', async () => {
    const api = await ownApi()
    const { lease, token } = await tokenOf(api)
    const { jws } = await receiptOf(api, `leases/${lease}`)
    expect(await api.refusal('POST /v1/tasks', { token: jws, body: OPENING })).toBe(
      '401 unauthenticated',
    )
    expect(await api.refusal(`GET /v1/leases/${lease}`, { token: jws })).toBe('401 unauthenticated')
    expect((await introspected(api, token)).body.active).toBe(true)
    expect((await introspected(api, jws)).body).toEqual({ active: false })
    const exchange = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: jws,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      authorization_details: JSON.stringify([READ_TICKET]),
    })
    const exchanged = await api.call('POST /oauth2/token', {
      body: exchange.toString(),
      headers: FORM,
    })
    expect(exchanged.status, exchanged.text).toBe(400)
    await api.call('POST /oauth2/revoke', {
      body: new URLSearchParams({ token: jws }).toString(),
      headers: { authorization: basic('tickets-api'), ...FORM },
    })
    expect((await introspected(api, token)).body.active).toBe(true)
  })

  it('P10: nobody who takes access tokens has its key, and no receipt verifies an access token', async () => {
    const api = await ownApi()
    const { lease, token } = await tokenOf(api)
    const { jws } = await receiptOf(api, `leases/${lease}`)
    const tokenKeys = (await api.call('GET /.well-known/jwks.json')).body
    const receiptKeys = (await api.call('GET /v1/receipt-keys')).body
    const kids = (set: { keys: { kid: string }[] }) => set.keys.map(({ kid }) => kid)
    expect(kids(tokenKeys).filter((kid) => kids(receiptKeys).includes(kid))).toEqual([])
    await expect(jwtVerify(jws, createLocalJWKSet(tokenKeys))).rejects.toThrow()
    expect(await verifyReceipt(token, receiptKeys)).toMatchObject({ ok: false })
    // Even one who got hold of the key set of receipts cannot be told an access token is one.
    expect(await verifyReceipt(token, tokenKeys)).toMatchObject({ ok: false })
  })
})

it('P2: the keys that are published hold nothing of the private ones', async () => {
  const api = await testApi()
  const task = await api.open()
  const { lease } = (await api.issue(task)).body
  await receiptOf(api, `leases/${lease.id}`)
  const { keys } = (await api.call('GET /v1/receipt-keys')).body
  expect(keys).toEqual([
    {
      kty: 'EC',
      crv: 'P-256',
      x: expect.any(String),
      y: expect.any(String),
      kid: expect.any(String),
      alg: 'ES256',
      use: 'sig',
      iat: Math.floor(api.clock.now() / 1_000),
    },
  ])
})

it('asking for the keys makes none: strangers write nothing', async () => {
  const api = await testApi()
  expect((await api.call('GET /v1/receipt-keys')).body).toEqual({ keys: [] })
})

it('a receipt that was changed in any part does not verify', async () => {
  const api = await testApi()
  const { lease } = (await api.issue(await api.open())).body
  const { jws } = await receiptOf(api, `leases/${lease.id}`)
  const keys = (await api.call('GET /v1/receipt-keys')).body
  expect(await verifyReceipt(jws, keys)).toMatchObject({ ok: true, claims: decodeJwt(jws) })
  const [header = '', payload = '', signature = ''] = jws.split('.')
  const said = decodeJwt<{ lease: object }>(jws)
  const coded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const forged = [
    [header, coded({ ...said, lease: { ...said.lease, state: 'ended' } }), signature],
    [coded({ alg: 'none', typ: 'mayfly-receipt+jwt' }), payload, ''],
    [coded({ alg: 'ES256', typ: 'at+jwt', kid: keys.keys[0].kid }), payload, signature],
    [header, payload, signature.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'))],
    [header, payload],
  ]
  for (const parts of forged) {
    expect(await verifyReceipt(parts.join('.'), keys), parts.join('.')).toMatchObject({ ok: false })
  }
})
