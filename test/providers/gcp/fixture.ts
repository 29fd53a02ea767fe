import { createRequire } from 'node:module'
import { Storage } from '@google-cloud/storage'
import { gcp } from '../../../providers/gcp/index.ts'
// Loaded here so that no test's deadline pays for loading Google's libraries.
import '../../../providers/gcp/upstream.ts'
import { type Clock, steadyClock } from '../../../src/clock.ts'
import { newId, upstreamName } from '../../../src/ids.ts'
import type { IntentItem } from '../../../src/model/intent.ts'
import { MINT_DEADLINE_MS, SKEW_MS } from '../../../src/model/lifetime.ts'
import type { UpstreamWriter } from '../../../src/model/upstream-writer.ts'
import type { EndOrder, Minted, MintOrder, Provider } from '../../../src/provider.ts'
import { Secret } from '../../../src/secret.ts'
import { idSource } from '../../fixture/ids.ts'
import { writerOf } from '../../fixture/writer.ts'
import {
  type GcpSandbox,
  MINT_PERMISSIONS,
  REVOKE_PERMISSIONS,
  startGcpSandbox,
} from '../../sandbox/gcp/index.ts'
import { Ledger } from '../../sandbox/ledger.ts'

export const MINT_TOKEN = 'ya29.broker-mint-canary'
export const REVOKE_TOKEN = 'ya29.broker-revoke-canary'
export const POOL = [1, 2, 3].map((n) => `agent-${n}@acme-agents.iam.gserviceaccount.com`)
export const SHARED = 'agent-shared@acme-agents.iam.gserviceaccount.com'
export const SECRETS: Readonly<Record<string, string>> = {
  'env:MINT': MINT_TOKEN,
  'env:REVOKE': REVOKE_TOKEN,
}
export const VIEW_TICKETS: readonly IntentItem[] = [
  {
    type: 'gcp',
    actions: ['inRole:roles/storage.objectViewer'],
    locations: ['gs://tickets/4711/*'],
  },
]

/** A sandbox with a pool of three accounts that may do everything with the bucket `tickets`. */
export async function startSandbox(propagationMs = 150, now = Date.now) {
  const ledger = new Ledger()
  const sandbox = await startGcpSandbox({ ledger, propagationMs, now })
  for (const email of [...POOL, SHARED]) {
    sandbox.addServiceAccount(email, [{ role: 'roles/storage.admin', bucket: 'tickets' }])
  }
  sandbox.addBroker(MINT_TOKEN, [{ permissions: MINT_PERMISSIONS, accounts: '*' }])
  sandbox.addBroker(REVOKE_TOKEN, [{ permissions: REVOKE_PERMISSIONS, accounts: POOL }])
  sandbox.putObject('tickets', '4711/mail.txt', 'the printer burns')
  sandbox.putObject('tickets', '4712/mail.txt', 'not your ticket')
  return { sandbox, ledger }
}

export function settingsFor(sandbox: GcpSandbox) {
  return {
    type: 'gcp',
    endpoints: sandbox.endpoints,
    credentials: { access_token: 'env:MINT' },
    revoke: { credentials: { access_token: 'env:REVOKE' } },
  }
}

/** A clock a test can move. */
export class TestClock implements Clock {
  #ahead = 0
  readonly now = () => Date.now() + this.#ahead
  readonly earliest = this.now
  readonly latest = this.now
  readonly monotonic = () => performance.now() + this.#ahead
  advance(ms: number): void {
    this.#ahead += ms
  }
  after(ms: number, run: () => void): () => void {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  }
}

export function wallClock(): Clock {
  const clock = new TestClock()
  return steadyClock({ wall: clock.now, monotonic: clock.monotonic, after: clock.after }, 0)
}

export function createProvider(given: {
  settings: unknown
  clock?: Clock
  targets?: readonly unknown[]
  secrets?: Readonly<Record<string, string>>
  writer?: Partial<UpstreamWriter>
}): Provider {
  return gcp.create({
    name: 'gcp',
    installation: 'test',
    writer: { ...writerOf(), ...given.writer },
    settings: gcp.settings.parse(given.settings),
    clock: given.clock ?? wallClock(),
    ...(given.targets && { targets: given.targets }),
    secret: (reference) => new Secret({ ...SECRETS, ...given.secrets }[reference] ?? ''),
    log: { info: () => {}, warn: () => {} },
  })
}

export function poolTarget(): unknown {
  return gcp.target.parse({ service_accounts: POOL })
}

/** An order for a new lease, described by the definition itself. */
export function orderFor(given: {
  settings: unknown
  clock: Clock
  target?: unknown
  slot?: string | null
  intent?: readonly IntentItem[]
  ceiling?: readonly IntentItem[]
  ttlSeconds?: number
  deadlineMs?: number
}): MintOrder {
  const target = given.target ?? poolTarget()
  const intent = given.intent ?? VIEW_TICKETS
  const settings = gcp.settings.parse(given.settings)
  const ceiling = given.ceiling && { ceiling: given.ceiling }
  const description = gcp.describe({ settings, target, intent, ...ceiling })
  if ('refused' in description) throw new Error(description.refused)
  const lease = newId('lease', idSource)
  const ttlSeconds = given.ttlSeconds ?? 300
  return {
    lease,
    upstreamName: upstreamName(lease),
    generation: 1,
    task: 'task_aaaaaaaaaaaaaaaaaaaa',
    agent: 'summariser',
    tenant: 'support',
    holder: { key: null, chain: [] },
    target,
    targetName: description.target,
    group: description.group,
    scope: JSON.parse(JSON.stringify(description.scope)),
    intent,
    ttlSeconds,
    notAfter: given.clock.now() + ttlSeconds * 1_000,
    slot: given.slot === undefined ? (description.slots?.[0] ?? null) : given.slot,
    handle: null,
    signal: AbortSignal.timeout(given.deadlineMs ?? 3_000),
  }
}

export function endOf(order: MintOrder, minted: Minted | null): EndOrder {
  return {
    lease: order.lease,
    upstreamName: order.upstreamName,
    task: order.task,
    agent: order.agent,
    tenant: order.tenant,
    target: order.target,
    targetName: order.targetName,
    group: order.group,
    slot: order.slot,
    handle: minted?.handle ?? null,
    nativeExpiresAt: minted?.nativeExpiresAt ?? null,
    latestPossibleExpiry: (minted?.nativeExpiresAt ?? order.notAfter + MINT_DEADLINE_MS) + SKEW_MS,
  }
}

export function revokeBatch(...orders: EndOrder[]) {
  return { group: null, orders, stillRefused: [], signal: AbortSignal.timeout(3_000) }
}

export function tokenOf(minted: Minted): string {
  const token = minted.credential.access_token
  if (!(token instanceof Secret)) throw new Error('the credential has no access_token')
  return token.reveal()
}

const requireOfStorage = createRequire(import.meta.resolve('@google-cloud/storage'))

/** The real Cloud Storage client, as an agent that was handed this token would set it up. */
export function storageWith(token: string, sandbox: GcpSandbox): Storage {
  // The client brings its own google-auth-library, whose types are not importable from here.
  const { OAuth2Client } = requireOfStorage('google-auth-library')
  const authClient = new OAuth2Client()
  authClient.setCredentials({ access_token: token })
  return new Storage({
    apiEndpoint: sandbox.url,
    useAuthWithCustomEndpoint: true,
    projectId: 'acme-agents',
    authClient,
    retryOptions: { autoRetry: false },
  })
}

/** Reads an object as the agent; undefined where the upstream refused it. */
export async function read(storage: Storage, bucket: string, name: string) {
  try {
    const [content] = await storage.bucket(bucket).file(name).download()
    return content.toString('utf8')
  } catch (error) {
    if (isRefusal(error)) return undefined
    throw error
  }
}

export function isRefusal(error: unknown): boolean {
  const code: unknown = Object(error).code
  return code === 401 || code === 403
}
