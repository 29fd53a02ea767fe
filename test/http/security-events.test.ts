import { describe, expect, test } from 'vitest'
import { AUDIENCE, CAEP, RISC, SSF, testTransmitter } from '../fixture/events.ts'
import { whileMinted } from '../fixture/while-minted.ts'

const RISK = `${CAEP}risk-level-change`
const ROBOT = { workload: 'corp/robot' }

describe('a pushed security event', () => {
  test('P8: session-revoked ends what the workload holds and keeps it away for an hour', async () => {
    const api = await testTransmitter()
    const task = await api.open()
    const { lease } = (await api.issue(task)).body
    const answer = await api.push(api.set(`${CAEP}session-revoked`))
    expect([answer.status, answer.text]).toEqual([202, ''])
    await api.advanceKills()
    expect(await api.store.leases.byId(lease.id)).toMatchObject({ state: 'ending' })
    expect((await api.as('admin', `GET /v1/tasks/${task.id}`)).body.state).toBe('ended')
    await expect(api.open()).rejects.toThrow('"status":403')
    const [kept] = (await api.as('admin', 'GET /v1/signals')).body.items
    expect(kept).toMatchObject({ source: 'idp', subject: ROBOT, level: 'HIGH', action: 'kill' })
    await api.advance(3_600_001)
    await api.open()
  })

  test('P8: a session revoked while a credential is being minted keeps it from being answered', async () => {
    const api = await testTransmitter()
    const task = await api.open()
    const { status, text } = await whileMinted(
      api.upstream,
      () => api.issue(task),
      async () => {
        expect((await api.push(api.set(`${CAEP}session-revoked`))).status).toBe(202)
      },
    )
    expect([status, text]).toEqual([403, expect.not.stringContaining('secret')])
  })

  test('the same jti again is accepted and has no second effect; with another payload it is refused', async () => {
    const api = await testTransmitter()
    const set = api.set(`${CAEP}session-revoked`)
    expect((await api.push(set)).status).toBe(202)
    const kills = async () => (await api.as('admin', 'GET /v1/blocks')).body.items.length
    const before = await kills()
    expect((await api.push(set)).status).toBe(202)
    expect(await kills()).toBe(before)
    const other = await api.push({
      ...set,
      events: { [RISK]: { principal: 'USER', current_level: 'LOW' } },
    })
    expect([other.status, other.body.err]).toEqual([400, 'invalid_request'])
    expect((await api.as('admin', 'GET /v1/signals')).body.items).toHaveLength(1)
  })

  test('an older event never lowers a newer one, whatever order they come in', async () => {
    const api = await testTransmitter()
    const risk = (level: string, at: number) =>
      api.push(api.set(RISK, { principal: 'USER', current_level: level, event_timestamp: at }))
    const now = Math.floor(api.clock.now() / 1000)
    const levels = async () =>
      (await api.as('admin', 'GET /v1/risk')).body.items.map((one: { level: string }) => one.level)
    await risk('MEDIUM', now - 10)
    await risk('LOW', now - 20)
    expect(await levels()).toEqual(['MEDIUM'])
    await risk('LOW', now - 10)
    expect(await levels()).toEqual(['MEDIUM'])
    await risk('LOW', now - 5)
    expect(await levels()).toEqual(['LOW'])
    // Nor does one raise again what is known to be over.
    await risk('HIGH', now - 7)
    expect(await levels()).toEqual(['LOW'])
    expect((await api.as('admin', 'GET /v1/blocks')).body.items).toEqual([])
    const { items } = (await api.as('admin', 'GET /v1/signals')).body
    const late = items.find(
      (one: { action: string; level: string }) => one.action === 'note' && one.level === 'HIGH',
    )
    expect(late).toMatchObject({ about: { why: expect.stringMatching(/later/) } })
  })

  test('what happened is not taken back by what happened later', async () => {
    const api = await testTransmitter()
    const now = Math.floor(api.clock.now() / 1000)
    const required = `${RISC}account-credential-change-required`
    await api.push(api.set(`${RISC}credential-compromise`, { credential_type: 'x509' }))
    await api.push(api.set(required, {}))
    await api.push(
      api.set(`${CAEP}credential-change`, { credential_type: 'app', change_type: 'update' }),
    )
    const items = (await api.as('admin', 'GET /v1/risk')).body.items
    expect(items.map((one: { level: string }) => one.level)).toContain('HIGH')
    // Nor is it void because it is heard of late.
    const other = await testTransmitter()
    const change = (change_type: string, event_timestamp: number) =>
      other.push(
        other.set(`${CAEP}credential-change`, {
          credential_type: 'app',
          change_type,
          event_timestamp,
        }),
      )
    await change('update', now)
    await change('revoke', now - 60)
    expect((await other.as('admin', 'GET /v1/blocks')).body.items).toHaveLength(1)
  })

  test('one subject is not cleared by a word about another that has a name in common', async () => {
    const api = await testTransmitter()
    const both = ['summariser', 'biller'].map((id) => ({ format: 'opaque', id }))
    const disabled = { sub_id: { format: 'aliases', identifiers: both } }
    await api.push(api.set(`${RISC}account-disabled`, {}, disabled))
    await api.push(api.set(`${RISC}account-enabled`, {}, { sub_id: both[0] }))
    const levels = async () =>
      (await api.as('admin', 'GET /v1/risk')).body.items.map((one: { level: string }) => one.level)
    expect((await levels()).toSorted()).toEqual(['HIGH', 'LOW'])
    await api.advance(1_000)
    await api.push(api.set(`${RISC}account-enabled`, {}, disabled))
    expect(await levels()).toEqual(['LOW', 'LOW'])
  })

  test('what is over in one respect takes nothing back in another, nor of another source', async () => {
    const api = await testTransmitter()
    await api.push(api.set(`${RISC}credential-compromise`, { credential_type: 'x509' }))
    await api.push(api.set(RISK, { principal: 'USER', current_level: 'LOW' }))
    const items = (await api.as('admin', 'GET /v1/risk')).body.items
    expect(items.map((one: { level: string }) => one.level).toSorted()).toEqual(['HIGH', 'LOW'])
  })

  test('P3: whoever is not known is kept and named, and never everybody', async () => {
    const api = await testTransmitter()
    const task = await api.open()
    const unknown = [
      { format: 'opaque', id: 'dMTlD|1600802906337.16|16008.16' },
      { format: 'email', email: 'jane@example.com' },
      { format: 'phone_number', phone_number: '+12065550123' },
      { format: 'catalog_item', catalog_id: 'c0384' },
      { format: 'iss_sub', iss: 'https://elsewhere.example', sub: 'robot' },
      {
        format: 'complex',
        user: { format: 'email', email: 'jane@example.com' },
        tenant: { format: 'opaque', id: 'support' },
      },
    ]
    for (const sub_id of unknown) {
      const answer = await api.push(api.set(`${RISC}account-disabled`, {}, { sub_id }))
      expect(answer.status).toBe(202)
    }
    await api.advanceKills()
    expect((await api.as('admin', `GET /v1/tasks/${task.id}`)).body.state).toBe('open')
    expect((await api.as('admin', 'GET /v1/risk')).body.items).toEqual([])
    const { items } = (await api.as('admin', 'GET /v1/signals')).body
    expect(items).toHaveLength(unknown.length)
    for (const item of items) {
      expect(item).toMatchObject({
        subject: {},
        action: 'note',
        about: { why: expect.any(String) },
      })
    }
    const said = items.map((one: { about: { subject: unknown } }) => one.about.subject)
    expect(said).toEqual(expect.arrayContaining(unknown))
    // An operator of one tenant does not see what may be about another.
    expect((await api.as('support', 'GET /v1/signals')).body.items).toEqual([])
  })

  test('P13: aliases that multiply are not a thousand orders, and leave a reason', async () => {
    const api = await testTransmitter()
    const task = await api.open()
    const some = (kind: string) => [...'abcdefghijklmnopqrst'].map((one) => kind + one.repeat(20))
    const opaque = (kind: string) => some(kind).map((id) => ({ format: 'opaque', id }))
    const iss = api.issuer.url
    const users = ['robot', ...some('')]
      .slice(0, 20)
      .map((sub) => ({ format: 'iss_sub', iss, sub }))
    const user = { format: 'aliases', identifiers: users }
    const push = (more: object) => {
      const sub_id = { format: 'complex', user, ...more }
      return api.push(api.set(`${CAEP}session-revoked`, {}, { sub_id }))
    }
    const session = { format: 'aliases', identifiers: opaque('task_') }
    const device = { format: 'aliases', identifiers: opaque('lease_') }
    expect((await push({ session, device })).status).toBe(202)
    expect((await api.as('admin', 'GET /v1/kills')).body.items).toEqual([])
    expect((await api.as('admin', 'GET /v1/signals')).body.items[0]).toMatchObject({
      action: 'note',
      about: { why: expect.stringContaining('more than 100') },
    })
    // As many names as there can be of one member do end what they name.
    expect((await push({})).status).toBe(202)
    await api.advanceKills()
    expect((await api.as('admin', `GET /v1/tasks/${task.id}`)).body.state).toBe('ended')
  })

  test('a subject beyond the scope of its source is refused and written down', async () => {
    const api = await testTransmitter({ scope: { agents: ['biller'] } })
    const sub_id = { format: 'opaque', id: 'summariser' }
    const answer = await api.push(api.set(`${RISC}account-disabled`, {}, { sub_id }))
    expect([answer.status, answer.body.err]).toEqual([400, 'access_denied'])
    expect((await api.as('admin', 'GET /v1/signals')).body.items).toEqual([])
    const { items } = (await api.as('admin', 'GET /v1/audit')).body
    expect(items.some((one: { type: string }) => one.type === 'signal.refused')).toBe(true)
  })

  test('P10: it is refused with the code of RFC 8935 unless all of it is right', async () => {
    const api = await testTransmitter(
      { authorization: 'env:AUTH' },
      { secrets: { 'env:AUTH': 'Bearer s3' } },
    )
    const good = { authorization: 'Bearer s3' }
    const set = (claims: Record<string, unknown> = {}) =>
      api.set(`${CAEP}session-revoked`, {}, claims)
    const now = Math.floor(api.clock.now() / 1000)
    const cases: [string, object, Parameters<typeof api.push>[1]?][] = [
      ['authentication_failed', set(), { headers: { authorization: 'Bearer s4' } }],
      ['authentication_failed', set(), { headers: { authorization: '' } }],
      ['invalid_request', set(), { header: { typ: 'JWT' } }],
      ['invalid_request', set(), { header: { typ: 'at+jwt' } }],
      ['invalid_request', set(), { headers: { 'content-type': 'application/jwt' } }],
      ['invalid_issuer', set({ iss: 'https://elsewhere.example' })],
      ['invalid_issuer', set(), { source: 'nobody' }],
      ['invalid_issuer', set(), { source: 'siem' }],
      ['invalid_audience', set({ aud: 'mayfly' })],
      ['invalid_audience', set({ aud: undefined })],
      ['invalid_key', set(), { header: { kid: 'other' } }],
      ['invalid_request', set({ jti: undefined })],
      ['invalid_request', set({ iat: undefined })],
      ['invalid_request', set({ iat: now + 120 })],
      ['invalid_request', set({ iat: now - 86_401 })],
      ['invalid_request', set({ exp: now + 60 })],
      ['invalid_request', set({ sub: 'robot' })],
      ['invalid_request', set({ sub_id: undefined })],
      ['invalid_request', set({ sub_id: { format: 'email' } })],
      ['invalid_request', set({ sub_id: { format: 'iss_sub', iss: 'x', sub: 'y', all: true } })],
      ['invalid_request', set({ events: {} })],
      ['invalid_request', set({ events: { [RISK]: {}, [`${CAEP}session-revoked`]: {} } })],
    ]
    for (const [err, claims, how = {}] of cases) {
      const answer = await api.push(claims, { ...how, headers: { ...good, ...how.headers } })
      expect([err, answer.status, answer.body]).toEqual([
        err,
        400,
        { err, description: expect.any(String) },
      ])
      expect(answer.headers.get('content-language')).toBe('en')
    }
    expect((await api.as('admin', 'GET /v1/signals')).body.items).toEqual([])
    expect((await api.push(set(), { headers: good })).status).toBe(202)
  })

  test('keys are found in the metadata of the transmitter, on its own host', async () => {
    const api = await testTransmitter({ jwks_uri: undefined })
    expect((await api.push(api.set(`${CAEP}session-presented`))).status).toBe(503)
    api.issuer.routes.set('/.well-known/ssf-configuration', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ issuer: api.issuer.url, jwks_uri: api.issuer.jwksUri }))
    })
    await api.advance(10_000)
    expect((await api.push(api.set(`${CAEP}session-presented`))).status).toBe(202)
  })

  test('a stream is verified, and a state that nobody asked for refused', async () => {
    const api = await testTransmitter({ verification_state: 'VGhpcyBpcyBhbiBleGFtcGxl' })
    const sub_id = { format: 'opaque', id: 'stream-1' }
    const verify = (state?: string) =>
      api.push(api.set(`${SSF}verification`, state === undefined ? {} : { state }, { sub_id }))
    expect((await verify('VGhpcyBpcyBhbiBleGFtcGxl')).status).toBe(202)
    expect((await verify()).status).toBe(202)
    expect((await verify('other')).body.err).toBe('invalid_state')
    const paused = { status: 'paused', reason: 'maintenance' }
    expect((await api.push(api.set(`${SSF}stream-updated`, paused, { sub_id }))).status).toBe(202)
    const { items } = (await api.as('admin', 'GET /v1/signals')).body
    const told = items.find((one: { reason: string }) => one.reason.startsWith('the stream'))
    expect(told).toMatchObject({ action: 'note', reason: 'the stream is paused: maintenance' })
    const said = { level: 'warn', source: 'idp', message: 'the stream is paused: maintenance' }
    expect(api.logged).toContainEqual(expect.objectContaining(said))
  })

  test('a subject as deep as a token is long is kept as far as anybody reads', async () => {
    const api = await testTransmitter()
    const deep = JSON.parse(`${'['.repeat(2_000)}${']'.repeat(2_000)}`)
    const sub_id = { format: 'nest', deep }
    expect((await api.push(api.set(`${RISC}account-disabled`, {}, { sub_id }))).status).toBe(202)
    const [kept] = (await api.as('admin', 'GET /v1/signals')).body.items
    expect(kept.about.subject).toEqual({ format: 'nest', deep: [[['…']]] })
  })

  test('an audience among others is enough', async () => {
    const api = await testTransmitter()
    const aud = ['https://other.example', AUDIENCE]
    expect((await api.push(api.set(`${CAEP}session-presented`, {}, { aud }))).status).toBe(202)
  })
})
