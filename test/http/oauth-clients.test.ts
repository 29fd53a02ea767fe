import * as dpop from 'dpop'
import { createLocalJWKSet, jwtVerify } from 'jose'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { describe, expect, it } from 'vitest'
import { guard } from '../../deploy/examples/resource-server/server.ts'
import type { Api } from '../fixture/http.ts'
import { PUBLIC_URL } from '../fixture/key-holder.ts'
import {
  FORM,
  introspected,
  ownApi,
  READ_TICKET,
  secretOf,
  TICKETS,
  tokenOf,
} from '../fixture/own-api.ts'
import { realTime } from '../fixture/real-time.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
/** Refused, with the nonce of a next proof. */
const NO_PROOF = { headers: { ...FORM, dpop: 'x' }, body: 'token=x' }
const JWT = 'urn:ietf:params:oauth:token-type:jwt'

/** The broker as these libraries reach it: by their own clock, and by fetch. */
async function served() {
  const api = await ownApi({ time: realTime })
  const send = async (url: string | URL | Request, init?: RequestInit) =>
    await api.app.request(url, init)
  return { api, send }
}

/** openid-client set up with nothing but the address of the broker. */
async function discovered(send: typeof fetch, clientId: string, auth: client.ClientAuth) {
  return await client.discovery(new URL(PUBLIC_URL), clientId, {}, auth, {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests],
    [client.customFetch]: (url, init) => send(url, init as RequestInit),
  })
}

async function subject(api: Api) {
  return {
    subject_token: await api.evidence(),
    subject_token_type: JWT,
    authorization_details: JSON.stringify([READ_TICKET]),
  }
}

describe('openid-client, which nobody here wrote', () => {
  it('discovers, exchanges evidence with DPoP, introspects and revokes', async () => {
    const { api, send } = await served()
    const agent = await discovered(send, 'summariser', client.None())
    const keyPair = await client.randomDPoPKeyPair()
    const DPoP = client.getDPoPHandle(agent, keyPair)
    const tokens = await client.genericGrantRequest(agent, EXCHANGE, await subject(api), { DPoP })
    expect(tokens).toMatchObject({
      token_type: 'dpop',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      authorization_details: [READ_TICKET],
      lease_id: expect.stringMatching(/^lease_/),
      task_token: expect.stringMatching(/^mft_/),
    })
    expect(tokens.expires_in).toBeGreaterThan(290)
    expect(tokens.expires_in).toBeLessThanOrEqual(300)

    const secret = client.ClientSecretBasic(secretOf('tickets-api'))
    const server = await discovered(send, 'tickets-api', secret)
    const jkt = await dpop.calculateThumbprint(keyPair.publicKey)
    expect(await client.tokenIntrospection(server, tokens.access_token)).toMatchObject({
      active: true,
      client_id: 'summariser',
      token_type: 'DPoP',
      cnf: { jkt },
      authorization_details: [READ_TICKET],
    })

    await client.tokenRevocation(server, tokens.access_token)
    expect(await client.tokenIntrospection(server, tokens.access_token)).toEqual({ active: false })
    const lease = await api.as('admin', `GET /v1/leases/${String(tokens.lease_id)}`)
    expect(lease.body).toMatchObject({ state: 'ending', cause: 'ended' })
    await expect(client.tokenRevocation(server, 'never issued')).resolves.toBeUndefined()
  })

  it('hears in its own words why it was refused', async () => {
    const { api, send } = await served()
    const agent = await discovered(send, 'summariser', client.None())
    const asked = async (overlay: object) => {
      const request = { ...(await subject(api)), ...overlay }
      return await client
        .genericGrantRequest(agent, EXCHANGE, request)
        .catch((error: unknown) => error)
    }
    expect(await asked({ subject_token: 'no token' })).toMatchObject({ error: 'invalid_request' })
    expect(await asked({ audience: 'https://bills.example' })).toMatchObject({
      error: 'invalid_target',
      status: 400,
    })
    const wide = [{ ...READ_TICKET, actions: ['tickets:delete'] }]
    expect(await asked({ authorization_details: JSON.stringify(wide) })).toMatchObject({
      error: 'invalid_authorization_details',
      error_description: expect.stringContaining('tickets:delete'),
    })
  })
})

it('oauth4webapi and dpop: the holder of its key revokes a token, and nobody else', async () => {
  const { api, send } = await served()
  const options = {
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: (url: string, init: object) => send(url, init),
  }
  const issuer = new URL(PUBLIC_URL)
  const as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options }),
  )
  const agent = { client_id: 'summariser' }
  const keyPair = await dpop.generateKeyPair('ES256')
  const handle = oauth.DPoP({}, keyPair)
  const exchange = async () => {
    const parameters = await subject(api)
    const request = { DPoP: handle, ...options }
    return await oauth.processGenericTokenEndpointResponse(
      as,
      agent,
      await oauth.genericTokenEndpointRequest(
        as,
        agent,
        oauth.None(),
        EXCHANGE,
        parameters,
        request,
      ),
    )
  }
  const refused = await exchange().catch((error: unknown) => error)
  expect(oauth.isDPoPNonceError(refused)).toBe(true)
  const { access_token } = await exchange()

  const revoke = async (keys: dpop.KeyPair) => {
    const url = as.revocation_endpoint ?? ''
    const nonce = (await api.call('POST /oauth2/revoke', NO_PROOF)).headers
    const proof = await dpop.generateProof(keys, url, 'POST', nonce.get('dpop-nonce') ?? '')
    const response = await oauth.revocationRequest(as, agent, oauth.None(), access_token, {
      headers: { dpop: proof },
      ...options,
    })
    await oauth.processRevocationResponse(response)
    return await activeIn(api, access_token)
  }
  expect(await revoke(await dpop.generateKeyPair('ES256'))).toBe(true)
  expect(await revoke(keyPair)).toBe(false)
  const keys = createLocalJWKSet((await api.call('GET /.well-known/jwks.json')).body)
  await expect(jwtVerify(access_token, keys)).resolves.toBeDefined() // who does not ask does not know
})

describe('the example of a resource server', () => {
  it('lets in what a token is for, with its key, until its lease ends', async () => {
    const { api, send } = await served()
    const agent = await discovered(send, 'summariser', client.None())
    const keyPair = await client.randomDPoPKeyPair()
    const DPoP = client.getDPoPHandle(agent, keyPair)
    const { access_token, ...more } = await client.genericGrantRequest(
      agent,
      EXCHANGE,
      await subject(api),
      { DPoP },
    )
    const answer = await exampleApi(send)
    const ask = async (path: string, init: RequestInit = {}, keys: dpop.KeyPair = keyPair) => {
      const url = `${TICKETS}${path}`
      const { method = 'GET' } = init
      const proof = await dpop.generateProof(keys, url, method, undefined, access_token)
      const headers = { authorization: `DPoP ${access_token}`, dpop: proof, ...init.headers }
      return (await answer(new Request(url, { ...init, headers }))).status
    }
    expect(await ask('/tickets/4711/mail.txt')).toBe(200)
    expect(await ask('/tickets/4712/mail.txt')).toBe(403)
    expect(await ask('/tickets/4711/../4712/mail.txt')).toBe(403)
    expect(await ask('/tickets/4711/%2e%2e/4712')).toBe(403)
    expect(await ask('/tickets/4711/mail.txt', { method: 'DELETE' })).toBe(403)
    expect(await ask('/tickets/4711/mail.txt', {}, await dpop.generateKeyPair('ES256'))).toBe(401)
    const bearer = { headers: { authorization: `Bearer ${access_token}` } }
    expect((await answer(new Request(`${TICKETS}/tickets/4711/mail.txt`, bearer))).status).toBe(401)

    const line = `POST /v1/tasks/${String(more.task_id)}/end`
    const token = String(more.task_token)
    expect(await ask('/tickets/4711/mail.txt')).toBe(200)
    const kill = { selector: { agent: 'summariser' }, reason: 'x' }
    await api.as('admin', 'POST /v1/kills', kill)
    expect(await ask('/tickets/4711/mail.txt')).toBe(401)
    await api.call(line, { token, body: {} })
    expect(await ask('/tickets/4711/mail.txt')).toBe(401)
  })

  it('P3: lets nobody in while it cannot ask', async () => {
    const { api, send } = await served()
    const { token } = await tokenOf(api)
    let down = false
    const answer = await exampleApi(async (url, init) => {
      if (down && String(url).includes('introspect')) throw new TypeError('fetch failed')
      return await send(url, init)
    })
    const ask = () =>
      answer(
        new Request(`${TICKETS}/tickets/4711/x`, { headers: { authorization: `Bearer ${token}` } }),
      )
    expect((await ask()).status).toBe(200)
    down = true
    await expect(ask()).rejects.toThrow()
  })
})

async function exampleApi(send: typeof fetch) {
  const name = 'tickets-api'
  const secret = secretOf(name)
  return await guard({ mayfly: PUBLIC_URL, url: TICKETS, name, secret, fetch: send })
}

async function activeIn(api: Api, token: string): Promise<boolean> {
  return (await introspected(api, token)).body.active
}
