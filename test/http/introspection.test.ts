import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { expect, it } from 'vitest'
import { OPENING } from '../fixture/http.ts'
import { KeyHolder, PUBLIC_URL } from '../fixture/key-holder.ts'
import {
  basic,
  FORM,
  introspected,
  OFFLINE,
  ownApi,
  READ_TICKET,
  TICKETS,
  tokenOf,
} from '../fixture/own-api.ts'
import { ManualTime } from '../fixture/time.ts'

const INACTIVE = { active: false }

it('an agent gets an access token for just what its task said, which anyone can verify', async () => {
  const api = await ownApi()
  const { task, lease, token } = await tokenOf(api)
  const keys = createLocalJWKSet((await api.call('GET /.well-known/jwks.json')).body)
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer: PUBLIC_URL,
    audience: TICKETS,
    typ: 'at+jwt',
    currentDate: new Date(api.clock.now()),
  })
  expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) })
  const now = Math.floor(api.clock.now() / 1_000)
  expect(payload).toEqual({
    iss: PUBLIC_URL,
    aud: TICKETS,
    sub: 'summariser',
    client_id: 'summariser',
    tenant: 'support',
    jti: `mf-${lease.slice('lease_'.length)}`,
    iat: now,
    exp: now + 300,
    authorization_details: [READ_TICKET],
  })
  expect((await introspected(api, token)).body).toEqual({
    active: true,
    token_type: 'Bearer',
    ...payload,
  })
  const shown = await api.call(`GET /v1/leases/${lease}`, { token: task.token })
  expect(shown.body).toMatchObject({
    upstream_name: payload.jti,
    target: TICKETS,
    scope: { audience: [TICKETS], authorization_details: [READ_TICKET] },
  })
})

it('an API that only reads scopes gets one only for what is whole and unconstrained', async () => {
  const api = await ownApi()
  const everywhere = { ...READ_TICKET, actions: ['tickets:comment'], locations: ['*'] }
  const task = await api.open({ intent: [READ_TICKET, everywhere] })
  const issue = async (intent: object[]) => {
    const { body } = await api.issue(task, { entitlement: 'tickets-api', intent })
    return decodeJwt(body.credential.access_token).scope
  }
  expect(await issue([READ_TICKET])).toBeUndefined()
  expect(await issue([everywhere, READ_TICKET])).toBeUndefined()
  expect(await issue([{ ...everywhere, constraints: { lang: ['de'] } }])).toBeUndefined()
  expect(await issue([everywhere])).toBe('tickets:comment')
})

it('P6: an ended lease is refused at once by whoever asks, and that is what its record says', async () => {
  const api = await ownApi()
  const { task, lease, token } = await tokenOf(api)
  await api.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
  expect((await introspected(api, token)).body).toEqual(INACTIVE)
})

it.each(['the task ends', 'its time is over', 'a kill is ordered and has reached nothing yet'])(
  'P7, P8: a token is not active once %s',
  async (what) => {
    const api = await ownApi()
    const { task, token } = await tokenOf(api)
    expect((await introspected(api, token)).body.active).toBe(true)
    if (what === 'the task ends') {
      await api.call(`POST /v1/tasks/${task.id}/end`, { token: task.token, body: {} })
    } else if (what === 'its time is over') await api.advance(300_000)
    else {
      await api.as('admin', 'POST /v1/kills', { selector: { agent: 'summariser' }, reason: 'x' })
      const [lease] = await api.store.leases.list({ tenants: null }, { limit: 1, after: undefined })
      expect(lease?.state).toBe('active')
    }
    expect((await introspected(api, token)).body).toEqual(INACTIVE)
  },
)

it('P5: nor once a clock says so that nobody believes yet', async () => {
  const time = new ManualTime()
  const api = await ownApi({ time })
  const { token } = await tokenOf(api)
  time.stepWall(15 * 86_400_000)
  expect((await introspected(api, token)).body).toEqual(INACTIVE)
  time.stepWall(-15 * 86_400_000)
  expect((await introspected(api, token)).body.active).toBe(true)
})

it('nor under another address than the broker has now', async () => {
  const api = await ownApi()
  const { token } = await tokenOf(api)
  api.reconfigure((doc) => {
    doc.server = { public_url: 'https://elsewhere.example' }
  })
  expect((await introspected(api, token)).body).toEqual(INACTIVE)
})

it('P11: a token of others is answered like one that never was', async () => {
  const api = await ownApi()
  const { token } = await tokenOf(api)
  const unknown = await introspected(api, 'never issued')
  expect(unknown.body).toEqual(INACTIVE)
  for (const server of ['bills-api', 'bills-of-support', 'tickets-of-billing']) {
    const { status, text, headers } = await introspected(api, token, server)
    expect([status, text], server).toEqual([unknown.status, unknown.text])
    expect([...headers.keys()]).toEqual([...unknown.headers.keys()])
  }
  const offline = await tokenOf(api, { entitlement: 'offline-api' })
  expect(decodeJwt(offline.token).aud).toBe(OFFLINE)
  expect((await introspected(api, offline.token)).body.active).toBe(true)
})

it('P3: who is no resource server is told nothing', async () => {
  const api = await ownApi()
  const { task, token } = await tokenOf(api)
  const body = new URLSearchParams({ token }).toString()
  for (const authorization of [
    undefined,
    basic('tickets-api', 'wrong'),
    basic('nobody'),
    basic('', ''),
    'Basic !!!',
    `Basic ${Buffer.from('tickets-api').toString('base64')}`,
    `Basic ${Buffer.from('tickets-api:%zz').toString('base64')}`,
    `Bearer ${task.token}`,
    `Bearer ${api.operators.admin}`,
  ]) {
    const answer = await api.call('POST /oauth2/introspect', {
      headers: { ...FORM, ...(authorization && { authorization }) },
      body,
    })
    expect(answer.status).toBe(401)
    expect(answer.body.error).toBe('invalid_client')
    expect(answer.headers.get('www-authenticate')).toMatch(/^Basic /)
    expect(answer.headers.get('cache-control')).toBe('no-store')
  }
})

it('P3: a forged, altered or foreign token is not active', async () => {
  const api = await ownApi()
  const { token } = await tokenOf(api)
  const [head = '', body = '', signature = ''] = token.split('.')
  const header = decodeProtectedHeader(token)
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const foreign = await api.issuer.sign({ ...decodeJwt(token) })
  for (const odd of [
    `${encode({ ...header, alg: 'none' })}.${body}.`,
    `${encode({ ...header, alg: 'HS256' })}.${body}.${signature}`,
    `${encode({ ...header, kid: 'other' })}.${body}.${signature}`,
    `${head}.${encode({ ...decodeJwt(token), exp: 9_999_999_999 })}.${signature}`,
    `${head}.${body}.${signature.slice(0, -8)}AAAAAAAA`,
    foreign,
    `${token}${'A'.repeat(20_000)}`,
    '\u0000',
  ]) {
    expect((await introspected(api, odd)).body).toEqual(INACTIVE)
  }
  expect((await introspected(api, token)).body.active).toBe(true)
})

it('P10: an access token of ours is no evidence', async () => {
  const api = await ownApi()
  const { token } = await tokenOf(api)
  expect(await api.refusal('POST /v1/tasks', { token, body: OPENING })).toBe('401 unauthenticated')
  expect(await api.refusal('GET /v1/leases', { token })).toBe('401 unauthenticated')
})

it.each(['', '.2'])(
  'P10: nor is one behind an address under which nobody knows Mayfly (jti mf-…%s)',
  async (generation) => {
    const api = await ownApi()
    const body = OPENING
    const open = async (jti: string) =>
      await api.call('POST /v1/tasks', { token: await api.evidence({ jti }), body })
    expect((await open('mf-lookalike')).status).toBe(201)
    expect((await open(`mf-aaaaaaaaaaaaaaaaaaaa${generation}`)).status).toBe(401)
  },
)

it('the token of a bound task names its key', async () => {
  const api = await ownApi()
  const holder = await KeyHolder.of(api)
  const task = await holder.open({ intent: [READ_TICKET] })
  const { body } = await holder.call(`POST /v1/tasks/${task.id}/credentials`, task.token, {
    body: { entitlement: 'tickets-api' },
  })
  const { access_token, token_type } = body.credential
  expect(token_type).toBe('DPoP')
  const { cnf } = decodeJwt(access_token)
  expect(cnf).toEqual({ jkt: holder.thumbprint })
  expect((await introspected(api, access_token)).body).toMatchObject({ token_type: 'DPoP', cnf })
})

it('a renewed token is another one, of the same lease; one end reaches both', async () => {
  const api = await ownApi()
  const { task, lease, token } = await tokenOf(api)
  await api.advance(100_000)
  const renewed = await api.call(`POST /v1/leases/${lease}/renew`, { token: task.token, body: {} })
  const second = renewed.body.credential.access_token
  expect(decodeJwt(second).jti).toBe(`${decodeJwt(token).jti}.2`)
  for (const one of [token, second]) expect((await introspected(api, one)).body.active).toBe(true)
  await api.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
  for (const one of [token, second]) expect((await introspected(api, one)).body).toEqual(INACTIVE)
})
