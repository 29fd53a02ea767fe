import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
}

type Route = (request: IncomingMessage, response: ServerResponse) => void

/** A real issuer on loopback: serves discovery and keys over HTTP, signs what a test asks for. */
export class IssuerServer {
  readonly url: string
  /** Paths asked for, in order. */
  readonly requests: string[] = []
  keys: SigningKey[] = []
  /** Replaces the ordinary answer of a path. */
  readonly routes = new Map<string, Route>()
  readonly #close: () => Promise<void>

  constructor(url: string, close: () => Promise<void>) {
    this.url = url
    this.#close = close
  }

  close(): Promise<void> {
    return this.#close()
  }

  get jwksUri(): string {
    return `${this.url}/jwks`
  }

  /** Signs with the newest key unless told otherwise; `header` is laid over `{alg, kid}`. */
  sign(claims: Record<string, unknown>, options: { key?: SigningKey; header?: object } = {}) {
    const key = options.key ?? this.keys.at(-1)
    if (!key) throw new Error('the issuer has no key')
    return new SignJWT(claims)
      .setProtectedHeader({ alg: key.alg, kid: key.kid, ...options.header })
      .sign(key.privateKey)
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '/'
    this.requests.push(path)
    const route = this.routes.get(path) ?? this.#ordinary(path)
    route(request, response)
  }

  #ordinary(path: string): Route {
    if (path === '/jwks') {
      return (_, response) => json(response, { keys: this.keys.map((key) => key.jwk) })
    }
    if (path === '/.well-known/openid-configuration') {
      return (_, response) => json(response, { issuer: this.url, jwks_uri: this.jwksUri })
    }
    return (_, response) => response.writeHead(404).end()
  }
}

export async function startIssuer(): Promise<IssuerServer> {
  const handler: { issuer?: IssuerServer } = {}
  const server = createServer((request, response) => handler.issuer?.answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A server listening on TCP has an address object.
  const { port } = server.address() as AddressInfo
  const issuer = new IssuerServer(
    `http://127.0.0.1:${port}`,
    () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  issuer.keys = [await newKey('key-1')]
  handler.issuer = issuer
  return issuer
}

export async function newKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

export function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
