import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { answerUnderFaults, Faults } from '../faults.ts'
import type { Ledger } from '../ledger.ts'
import { iamRoutes } from './iam.ts'
import { iamCredentialsRoutes } from './iam-credentials.ts'
import { type Call, googleError, type Route } from './request.ts'
import { storageRoutes } from './storage.ts'
import { stsRoutes } from './sts.ts'
import { type Binding, type BrokerGrant, World } from './world.ts'

/** What the documents call typical for IAM changes. */
const TYPICAL_PROPAGATION_MS = 120_000
const ROUTES: readonly Route[] = [
  ...iamCredentialsRoutes,
  ...iamRoutes,
  ...stsRoutes,
  ...storageRoutes,
]

export interface GcpSandboxOptions {
  readonly ledger: Ledger
  readonly faults?: Faults
  readonly port?: number
  /** How long a disabled account's tokens go on working; 120 s unless scaled down. */
  readonly propagationMs?: number
  readonly now?: () => number
}

/** A small Google Cloud on loopback that enforces what was granted; the real clients talk to it. */
export interface GcpSandbox {
  /** The base of every API: IAM Credentials, IAM, STS and Cloud Storage (`apiEndpoint`). */
  readonly url: string
  /** As the provider's `endpoints` setting wants them. */
  readonly endpoints: {
    readonly iamcredentials: string
    readonly iam: string
    readonly sts: string
    readonly storage: string
  }
  readonly faults: Faults
  readonly propagationMs: number
  /** Makes `token` a broker's access token with these rights on service accounts. */
  addBroker(token: string, grants: readonly BrokerGrant[]): void
  /** Gives `from` the token creator's role on `to`: a step of a delegation chain. */
  addDelegation(from: string, to: string): void
  /** Creates an enabled account whose bindings give it roles on buckets. */
  addServiceAccount(email: string, bindings: readonly Binding[]): void
  putObject(bucket: string, name: string, content: string): void
  readObject(bucket: string, name: string): string | undefined
  /** Whether an account is disabled now, by the control plane's own account. */
  isDisabled(email: string): boolean
  /** Switches an account as an administrator beside the broker would. */
  setDisabled(email: string, disabled: boolean): void
  close(): Promise<void>
}

/** The rights `providers/gcp/README.md` tells operators to give the mint identity. */
export const MINT_PERMISSIONS = ['iam.serviceAccounts.getAccessToken'] as const
/** And the revoke identity. */
export const REVOKE_PERMISSIONS = [
  'iam.serviceAccounts.get',
  'iam.serviceAccounts.disable',
  'iam.serviceAccounts.enable',
] as const

export async function startGcpSandbox(options: GcpSandboxOptions): Promise<GcpSandbox> {
  const faults = options.faults ?? new Faults()
  const world = new World({
    ledger: options.ledger,
    propagationMs: options.propagationMs ?? TYPICAL_PROPAGATION_MS,
    now: options.now ?? Date.now,
  })
  const server = createServer((request, response) => {
    answer({ world, faults, request, response }).catch(() => response.destroy())
  })
  const url = await listen(server, options.port ?? 0)
  return {
    url,
    endpoints: { iamcredentials: url, iam: url, sts: url, storage: url },
    faults,
    propagationMs: world.propagationMs,
    addBroker: (token, grants) => void world.brokers.set(token, grants),
    addServiceAccount(email, bindings) {
      const uniqueId = String(100_000_000_000_000_000_000n + BigInt(world.accounts.size))
      const account = { email, uniqueId, bindings, switches: [], mayActAs: new Set<string>() }
      world.accounts.set(email, account)
    },
    putObject(bucket, name, content) {
      const objects = world.buckets.get(bucket) ?? new Map()
      objects.set(name, { content: Buffer.from(content), contentType: 'text/plain', generation: 1 })
      world.buckets.set(bucket, objects)
    },
    readObject: (bucket, name) => world.buckets.get(bucket)?.get(name)?.content.toString('utf8'),
    addDelegation: (from, to) => void accountOf(world, from).mayActAs.add(to),
    isDisabled: (email) => world.isDisabled(accountOf(world, email)),
    setDisabled: (email, disabled) => world.setDisabled(accountOf(world, email), disabled),
    close: () => close(server),
  }
}

function accountOf(world: World, email: string) {
  const account = world.account(email)
  if (!account) throw new Error(`the sandbox has no service account ${email}`)
  return account
}

async function answer(turn: {
  world: World
  faults: Faults
  request: IncomingMessage
  response: ServerResponse
}): Promise<void> {
  const { world, faults, request, response } = turn
  const url = new URL(request.url ?? '/', 'http://sandbox')
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  const found = routeOf(request.method ?? 'GET', url.pathname)
  const call: Call = {
    world,
    bearer: /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1],
    params: found?.params ?? [],
    query: url.searchParams,
    headers: request.headers,
    body: Buffer.concat(chunks),
    origin: `http://${request.headers.host}`,
  }
  response.setHeader('date', new Date(world.now()).toUTCString())
  response.setHeader('content-type', 'application/json; charset=UTF-8')
  const route = found?.route
  await answerUnderFaults({
    faults,
    operation: route?.operation ?? 'unknown',
    response,
    perform: () => route?.perform(call) ?? googleError(404, `no such method: ${url.pathname}`),
    pretend: () => (route?.pretend ?? route?.perform)?.(call) ?? googleError(404, 'no such method'),
    refuse: (status, code) => googleError(status, 'refused by a planned fault', code),
  })
}

function routeOf(method: string, path: string) {
  for (const route of ROUTES) {
    const match = route.method === method ? route.path.exec(path) : null
    if (match) return { route, params: match.slice(1).map((part) => decodeURIComponent(part)) }
  }
  return undefined
}

function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      if (typeof address !== 'object' || address === null) return reject(new Error('no address'))
      resolve(`http://127.0.0.1:${address.port}`)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
