/**
 * A cluster's API server as far as workload identity goes: it knows service accounts and pods,
 * issues tokens bound to them, publishes its keys to whoever may see them, and reviews tokens
 * against what exists now (authentication.k8s.io/v1). Operations for faults: `discovery`, `jwks`,
 * `tokenreviews`.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { SignJWT } from 'jose'
import { newKey, type SigningKey } from '../../identity/issuer-server.ts'
import { type Answer, answerUnderFaults, Faults } from '../faults.ts'
import { ClusterObjects, type Pod, type ServiceAccount } from './objects.ts'
import { claimsOf, type ReviewStatus, review } from './token-review.ts'

export interface ClusterOptions {
  /** Epoch milliseconds. */
  readonly now: () => number
  /** PEM; absent: plain http. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Its first key, where many clusters come one after the other: RSA takes a while. Absent: a new one. */
  readonly key?: SigningKey
}

export interface TokenRequest {
  readonly account: ServiceAccount
  readonly pod?: Pod
  readonly audience: string
  readonly seconds?: number
}

const ISSUER = 'https://kubernetes.default.svc.cluster.local'

export class Cluster {
  /** What its tokens say; nothing answers there outside of the cluster. */
  issuer = ISSUER
  readonly objects = new ClusterObjects()
  readonly faults = new Faults()
  /** Requests in order, for example `POST /apis/authentication.k8s.io/v1/tokenreviews`. */
  readonly requests: string[] = []
  /** Accounts with the cluster role `system:auth-delegator`. */
  readonly reviewers = new Set<string>()
  /** API servers of old answer a review without saying for whom the token is. */
  knowsAudiences = true
  /** What another API server could answer about a token that stands. */
  pretend: (status: ReviewStatus) => object = (status) => status
  url = ''
  keys: SigningKey[] = []
  readonly #options: ClusterOptions
  readonly #server: Server

  constructor(options: ClusterOptions) {
    this.#options = options
    const answer = (request: IncomingMessage, response: ServerResponse) =>
      void this.#answer(request, response)
    this.#server = options.tls ? createTlsServer(options.tls, answer) : createServer(answer)
  }

  async start(): Promise<this> {
    this.keys = [this.#options.key ?? (await newKey('cluster-1', 'RS256'))]
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    // A server listening on TCP has an address object.
    const { port } = this.#server.address() as AddressInfo
    this.url = this.#options.tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`
    return this
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  /** As the TokenRequest API and projected volumes do. */
  token({ account, pod, audience, seconds = 3_600 }: TokenRequest): Promise<string> {
    const key = this.keys.at(-1)
    if (!key) throw new Error('the cluster is not started')
    const iat = Math.floor(this.#options.now() / 1_000)
    const claims = claimsOf({ account, pod, audience, iat, seconds, jti: randomUUID() })
    return new SignJWT({ ...claims, iss: this.issuer })
      .setProtectedHeader({ alg: key.alg, kid: key.kid })
      .sign(key.privateKey)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    const line = `${request.method} ${request.url}`
    this.requests.push(line)
    const operation = OPERATIONS[line] ?? 'unknown'
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    await answerUnderFaults({
      faults: this.faults,
      operation,
      response,
      perform: () => this.#perform(operation, { bearer, body }),
      pretend: () => json(201, LIE),
      refuse: (status) => failure(status, 'a planned fault'),
    })
  }

  async #perform(
    operation: string,
    { bearer, body }: { bearer: string | undefined; body: string },
  ): Promise<Answer> {
    const caller = await this.#review(bearer ?? '', [this.issuer])
    if (!caller?.authenticated) return failure(401, 'Unauthorized')
    switch (operation) {
      case 'discovery':
        // An address of its own, which clients elsewhere may not even reach.
        return json(200, {
          issuer: this.issuer,
          jwks_uri: 'https://172.18.0.2:6443/openid/v1/jwks',
        })
      case 'jwks':
        return json(200, { keys: this.keys.map((key) => key.jwk) })
      case 'tokenreviews': {
        if (!this.reviewers.has(caller.user?.username ?? '')) return failure(403, 'Forbidden')
        const { spec } = JSON.parse(body) as { spec: { token: string; audiences?: string[] } }
        const asked = this.knowsAudiences ? spec.audiences : undefined
        const seen = await this.#review(spec.token, asked ?? [this.issuer, 'mayfly'])
        const { audiences: _, ...rest } = seen
        const status = this.pretend(asked ? seen : rest)
        return json(201, {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenReview',
          spec,
          status,
        })
      }
      default:
        return failure(404, 'the server could not find the requested resource')
    }
  }

  #review(token: string, audiences: readonly string[]) {
    const { issuer, keys, objects } = this
    return review(token, { audiences, issuer, keys, objects, now: this.#options.now() })
  }
}

const OPERATIONS: Record<string, string> = {
  'GET /.well-known/openid-configuration': 'discovery',
  'GET /openid/v1/jwks': 'jwks',
  'POST /apis/authentication.k8s.io/v1/tokenreviews': 'tokenreviews',
}

/** Everything is fine, says an API server that knows no audiences. */
const LIE = {
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'TokenReview',
  status: { authenticated: true, user: { username: 'system:admin', uid: '0', groups: [] } },
}

function json(status: number, value: unknown): Answer {
  const headers = { 'content-type': 'application/json' }
  return { status, headers, body: JSON.stringify(value) }
}

function failure(code: number, message: string): Answer {
  return json(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code })
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer) // no encoding is set
  return Buffer.concat(chunks).toString('utf8')
}
