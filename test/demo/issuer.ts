import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import Provider, { type Adapter, type Configuration } from 'oidc-provider'

/** A real OpenID provider on loopback: who vouches for the demo's workloads. */
export interface Issuer {
  readonly url: string
  /** A fresh token of a workload: a JWT for Mayfly, good for five minutes and for one use. */
  evidence(workload?: string): Promise<string>
  /** What each workload shows the issuer to get one. */
  readonly clientSecret: string
  close(): Promise<void>
}

/** How the workload is called at the issuer. */
export const WORKLOAD = 'ticket-summariser'
/** What a token must be meant for. */
export const AUDIENCE = 'mayfly'
const TOKEN_SECONDS = 300

export async function startIssuer(
  random: (bytes: number) => Uint8Array,
  workloads: readonly string[] = [WORKLOAD],
): Promise<Issuer> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  // A server listening on TCP always has an address object.
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const clientSecret = Buffer.from(random(24)).toString('base64url')
  const provider = new Provider(url, await configuration(clientSecret, workloads))
  const answer = provider.callback()
  server.on('request', (request, response) => void answer(request, response))
  return {
    url,
    clientSecret,
    evidence: (workload = WORKLOAD) => fetchToken(url, `${workload}:${clientSecret}`),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Clients prove themselves by a secret and get JWT access tokens for Mayfly, signed with ES256. */
async function configuration(
  clientSecret: string,
  workloads: readonly string[],
): Promise<Configuration> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return {
    adapter: KeepsNothing,
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'demo', alg: 'ES256', use: 'sig' }] },
    clients: workloads.map((client_id) => ({
      client_id,
      client_secret: clientSecret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
    })),
    ttl: { ClientCredentials: TOKEN_SECONDS },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:mayfly',
        getResourceServerInfo: () => ({
          scope: '',
          audience: AUDIENCE,
          accessTokenFormat: 'jwt',
          accessTokenTTL: TOKEN_SECONDS,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  }
}

/** Keeps nothing: signed tokens need no storage. Without one the provider would warn about it. */
class KeepsNothing implements Adapter {
  async upsert() {}
  async find() {}
  async findByUserCode() {}
  async findByUid() {}
  async consume() {}
  async destroy() {}
  async revokeByGrantId() {}
}

async function fetchToken(url: string, login: string): Promise<string> {
  const response = await fetch(`${url}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(login)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  if (!response.ok) throw new Error(`the issuer answered ${response.status}`)
  // RFC 6749 §5.1: a successful answer holds access_token.
  return ((await response.json()) as { access_token: string }).access_token
}
