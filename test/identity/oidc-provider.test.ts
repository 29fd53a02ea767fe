import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK } from 'jose'
import Provider from 'oidc-provider'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { steadyClock } from '../../src/clock.ts'
import { createIdentity } from '../../src/identity/identity.ts'
import { agentSchema, issuerSchema } from '../../src/identity/settings.ts'
import { newKey } from './issuer-server.ts'

const server = createServer()
let url: string

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A server listening on TCP has an address object.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const key = await newKey('op-1')
  const provider = new Provider(url, {
    jwks: {
      keys: [{ ...(await exportJWK(key.privateKey)), kid: 'op-1', alg: 'ES256', use: 'sig' }],
    },
    clients: [
      {
        client_id: 'ticket-summariser',
        client_secret: 'not-a-secret-of-mayfly',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:mayfly',
        getResourceServerInfo: () => ({
          scope: '',
          audience: 'mayfly',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  })
  const answer = provider.callback()
  server.on('request', (request, response) => void answer(request, response))
})
afterAll(
  () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
)

it('accepts what a real OpenID provider issues, found by discovery', async () => {
  const answer = await fetch(`${url}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('ticket-summariser:not-a-secret-of-mayfly')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  // RFC 6749 §5.1: a successful answer holds access_token.
  const { access_token } = (await answer.json()) as { access_token: string }
  const identity = createIdentity({
    issuers: [
      issuerSchema.parse({
        name: 'op',
        type: 'oidc',
        issuer: url,
        audience: 'mayfly',
        typ: 'at+jwt',
        one_time: true,
      }),
    ],
    agents: [
      agentSchema.parse({
        id: 'ticket-summariser',
        tenant: 'support',
        owner: 'support@example.com',
        match: { issuer: 'op', claims: { sub: 'ticket-summariser', client_id: 'ticket-*' } },
      }),
    ],
    ownIdentities: [],
    secret: () => {
      throw new Error('no secrets here')
    },
    clock: steadyClock(
      { wall: Date.now, monotonic: () => performance.now(), after: () => () => {} },
      0,
    ),
    log: { warn: () => {} },
  })
  const workload = await identity.verify(access_token)
  expect(workload).toMatchObject({ name: 'op/ticket-summariser', oneTime: true })
  expect(workload.evidenceId).not.toBeNull()
  expect(identity.agentFor(workload).id).toBe('ticket-summariser')
})
