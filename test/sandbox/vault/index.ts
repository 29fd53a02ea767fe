/**
 * A Vault that enforces: tokens and their families, token roles, ACL policies, leases and a
 * database engine, over real HTTP. It keeps the ledger of what was minted and used, and can be
 * made to fail, hang, lie or answer late. Statuses and messages are Vault's own.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerUnderFaults, Faults } from '../faults.ts'
import { fingerprint, type Ledger } from '../ledger.ts'
import type { Database } from './database.ts'
import { type Exchange, json, type Operation, refused, VaultRefusal } from './exchange.ts'
import { Router } from './router.ts'

export interface VaultSandbox {
  readonly address: string
  readonly rootToken: string
  readonly ledger: Ledger
  readonly faults: Faults
  /** The database behind `database/`: ask it to log in, take it down. */
  readonly database: Database
  /** One request as the root token, for setting things up; throws on anything but success. */
  root(method: string, path: string, body?: Readonly<Record<string, unknown>>): Promise<RootAnswer>
  /** Lets one text log in as a Kubernetes or JWT identity. */
  acceptJwt(mount: string, role: string, jwt: string, raw: Readonly<Record<string, unknown>>): void
  hasPolicy(name: string): boolean
  /** Whether who relies on a secret of `pki`, `kubernetes`, `aws` or `ssh` still takes it. */
  honours(secret: string): boolean
  accessors(): readonly string[]
  /** The `mf-…` name of the token behind an accessor, if it has one. */
  nameOf(accessor: string): string | undefined
  /** Waits until every queued revocation due by then has run. */
  settle(): Promise<void>
  close(): Promise<void>
}

/** The JSON of an answer; tests look into it and fail loudly where it is not as expected. */
export interface RootAnswer {
  readonly data?: Readonly<Record<string, unknown>> | null
  readonly auth?: Readonly<Record<string, unknown>> | null
  readonly lease_id?: string
}

export interface VaultSandboxOptions {
  readonly ledger: Ledger
  readonly faults?: Faults
  readonly port?: number
  /** The one namespace it has; a request that names another finds nothing. Default: the root. */
  readonly namespace?: string
  readonly now?: () => number
  /** How long Vault lets queued revocations lie; a real one takes a moment too. */
  readonly queueDelayMs?: number
}

const MAX_BODY_BYTES = 1_048_576

export async function startVaultSandbox(options: VaultSandboxOptions): Promise<VaultSandbox> {
  const faults = options.faults ?? new Faults()
  const now = options.now ?? (() => Date.now())
  const queueDelayMs = options.queueDelayMs ?? 50
  const router = new Router({ ledger: options.ledger, now, queueDelayMs })
  const server = createServer((request, response) => {
    const { ledger, namespace = '' } = options
    respond({ router, faults, ledger, now, namespace }, request, response).catch(() => {
      response.destroy()
    })
  })
  await listen(server, options.port ?? 0)
  // A server listening on TCP always has an AddressInfo.
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    address,
    rootToken: router.rootToken,
    ledger: options.ledger,
    faults,
    database: router.database,
    root: (method, path, body) => {
      const { namespace = '' } = options
      return asRoot({ address, namespace, token: router.rootToken }, { method, path, body })
    },
    acceptJwt: (mount, role, jwt, raw) => router.logins.acceptJwt(mount, role, jwt, raw),
    honours: (secret) => router.issuing.honours(secret),
    hasPolicy: (name) => router.policies.has(name),
    accessors: () => router.tokens.accessors(),
    nameOf: (accessor) => router.tokens.nameOf(accessor),
    settle: async () => {
      await new Promise((resolve) => setTimeout(resolve, queueDelayMs + 20))
      router.sweep()
    },
    close: () => close(server),
  }
}

interface Serving {
  readonly router: Router
  readonly faults: Faults
  readonly ledger: Ledger
  readonly now: () => number
  readonly namespace: string
}

async function respond(
  { router, faults, ledger, now, namespace }: Serving,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader('date', new Date(now()).toUTCString())
  response.setHeader('cache-control', 'no-store')
  const token = tokenOf(request)
  const body = await readBody(request)
  const perform = () => {
    const use = (allowed: boolean, reason: string) =>
      ledger.use({
        upstream: 'vault',
        fingerprint: fingerprint(token),
        at: now(),
        operation: `${request.method} ${request.url}`,
        allowed,
        reason,
      })
    try {
      if (namespaceOf(request) !== namespace) throw new VaultRefusal(404, 'namespace not found')
      const answer = router.handle(exchangeOf(router, request, body), token)
      if (token !== '') use(true, `answered ${answer.status}`)
      return answer
    } catch (error) {
      if (!(error instanceof VaultRefusal)) throw error
      // What passed the ACL was honoured, even where there was nothing to find.
      if (token !== '') use(error.status !== 403, error.errors.join('; '))
      return refused(error)
    }
  }
  await answerUnderFaults({
    faults,
    operation: operationName(request),
    response,
    perform,
    pretend: () => pretended(request),
    refuse: (status, code) => json(status, { errors: [code ?? `refused with ${status}`] }),
  })
}

function tokenOf(request: IncomingMessage): string {
  const header = request.headers['x-vault-token']
  if (typeof header === 'string') return header
  return /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
}

function namespaceOf(request: IncomingMessage): string {
  const header = request.headers['x-vault-namespace']
  return typeof header === 'string' ? header.replace(/\/$/, '') : ''
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    // Without an encoding set, chunks of an IncomingMessage are Buffers.
    const bytes = chunk as Buffer
    size += bytes.length
    if (size > MAX_BODY_BYTES) throw new Error('body too large')
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function exchangeOf(router: Router, request: IncomingMessage, body: string): Exchange {
  const url = new URL(request.url ?? '/', 'http://sandbox')
  if (!url.pathname.startsWith('/v1/')) throw new VaultRefusal(404)
  const isList =
    request.method === 'LIST' ||
    url.searchParams.get('list') === '1' ||
    url.searchParams.get('list') === 'true'
  const bare = decodeURIComponent(url.pathname.slice('/v1/'.length))
  const path = isList && !bare.endsWith('/') ? `${bare}/` : bare
  url.searchParams.delete('list')
  const data = body === '' ? Object.fromEntries(url.searchParams) : parseBody(body)
  return { operation: operationOf(router, request.method ?? '', path, isList), path, data }
}

function parseBody(body: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(body)
    // Checked to be a JSON object.
    if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>
  } catch {}
  throw new VaultRefusal(400, 'failed to parse JSON input')
}

function operationOf(router: Router, method: string, path: string, isList: boolean): Operation {
  if (isList) return 'list'
  if (method === 'GET') return 'read'
  if (method === 'DELETE') return 'delete'
  if (method !== 'POST' && method !== 'PUT') throw new VaultRefusal(405, 'unsupported operation')
  return router.creates(path) ? 'create' : 'update'
}

/** How `Faults.plan` names a call: verb and path without what varies, e.g. `GET database/creds`. */
function operationName(request: IncomingMessage): string {
  const url = new URL(request.url ?? '/', 'http://sandbox')
  const isList = request.method === 'LIST' || url.searchParams.has('list')
  const method = isList ? 'LIST' : request.method === 'PUT' ? 'POST' : request.method
  const path = url.pathname.slice('/v1/'.length).replace(/\/$/, '')
  const fixed = FIXED_PATHS.find((prefix) => path === prefix || path.startsWith(`${prefix}/`))
  return `${method} ${fixed ?? path}`
}

const FIXED_PATHS = [
  'auth/token/create',
  'auth/token/roles',
  'sys/policies/acl',
  'sys/leases/revoke-prefix',
  'sys/leases/lookup',
  'sys/leases/revoke',
  'sys/leases/renew',
  'database/config',
  'database/roles',
  'database/creds',
  'secret/data',
  'secret/metadata',
]

/** What a lying server says: that it did it. */
function pretended(request: IncomingMessage) {
  if (request.method === 'GET') return json(200, { data: {} })
  return { status: 204, body: '' }
}

async function asRoot(
  { address, namespace, token }: { address: string; namespace: string; token: string },
  call: { method: string; path: string; body: Readonly<Record<string, unknown>> | undefined },
): Promise<RootAnswer> {
  const response = await fetch(`${address}/v1/${call.path}`, {
    method: call.method,
    headers: {
      'x-vault-token': token,
      ...(namespace === '' ? {} : { 'x-vault-namespace': namespace }),
    },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(`${call.method} ${call.path}: ${response.status} ${answer}`)
  return answer === '' ? {} : JSON.parse(answer)
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
