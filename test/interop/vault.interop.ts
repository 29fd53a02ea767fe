/**
 * The vault provider against a server nobody here wrote: a real Vault or OpenBao at
 * `MAYFLY_TEST_VAULT_ADDR`, set up and cleaned up with `MAYFLY_TEST_VAULT_TOKEN` (root).
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { compilePolicy } from '../../providers/vault/compile.ts'
import { vault as definition } from '../../providers/vault/index.ts'
import { CAPABILITIES } from '../../providers/vault/vocabulary.ts'
import { steadyClock } from '../../src/clock.ts'
import { newId, upstreamName } from '../../src/ids.ts'
import type { IntentItem } from '../../src/model/intent.ts'
import { SKEW_MS } from '../../src/model/lifetime.ts'
import type { EndOrder, Minted, MintOrder, Provider } from '../../src/provider.ts'
import { Secret } from '../../src/secret.ts'
import { idSource } from '../fixture/ids.ts'
import { writerOf } from '../fixture/writer.ts'
import { anyLocation, anyPath, pathMatcher } from '../providers/vault/path-oracle.ts'
import { MINT_POLICY, REVOKE_POLICY } from '../providers/vault/upstream.ts'

export interface InteropResult {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

const TTL_SECONDS = 30
/** Everything this run makes at the server bears this name. */
const RUN = `mayfly-interop-${randomBytes(4).toString('hex')}`
const INTENTS = 10_000
const PARALLEL = 6
const TOKEN_TARGET = { kind: 'token' }

export async function runVaultInterop(): Promise<InteropResult> {
  const address = process.env.MAYFLY_TEST_VAULT_ADDR
  const token = process.env.MAYFLY_TEST_VAULT_TOKEN
  if (!address || !token) {
    console.log('vault: skipped, MAYFLY_TEST_VAULT_ADDR and MAYFLY_TEST_VAULT_TOKEN are not set')
    return { passed: 0, failed: 0, skipped: 1 }
  }
  const server = new RealServer(address.replace(/\/$/, ''), token)
  const tally = { passed: 0, failed: 0, skipped: 0 }
  const provider = await connect(server)
  try {
    for (const [name, step] of Object.entries(STEPS)) {
      tally[await outcomeOf(name, () => step(server, provider))] += 1
    }
  } finally {
    await provider.close()
    await server.cleanUp()
  }
  return tally
}

type Step = (server: RealServer, provider: Provider) => Promise<'skipped' | undefined>

async function outcomeOf(
  name: string,
  step: () => Promise<'skipped' | undefined>,
): Promise<keyof InteropResult> {
  try {
    const outcome = (await step()) ?? 'passed'
    console.log(`vault: ${outcome}: ${name}`)
    return outcome
  } catch (error) {
    console.log(`vault: FAILED: ${name}: ${error instanceof Error ? error.message : 'unknown'}`)
    return 'failed'
  }
}

const STEPS: Readonly<Record<string, Step>> = {
  'doctor finds the operator page’s policies sufficient': async (_, provider) => {
    const findings = await provider.check()
    assert.deepEqual(
      findings.filter((finding) => finding.level !== 'ok'),
      [],
    )
    return undefined
  },

  'P4: a token may what was asked, and nothing beside it': async (server, provider) => {
    const order = orderFor(TOKEN_TARGET, tickets())
    const minted = await provider.mint(order)
    const token = tokenOf(minted)
    assert.equal(await server.status(token, 'GET', `${RUN}/data/tickets/1`), 200)
    assert.equal(await server.status(token, 'GET', `${RUN}/data/payroll/1`), 403)
    assert.equal(await server.status(token, 'GET', 'auth/token/lookup-self'), 403)
    assert.equal(await server.status(token, 'POST', 'auth/token/renew-self', {}), 403)
    await endWell(provider, order, minted)
    return undefined
  },

  'P6: an ended token is refused, and proved forgotten': async (server, provider) => {
    const order = orderFor(TOKEN_TARGET, tickets())
    const minted = await provider.mint(order)
    const outcome = await endWell(provider, order, minted)
    assert.equal(outcome.containment, 'proved')
    assert.equal(await server.status(tokenOf(minted), 'GET', `${RUN}/data/tickets/1`), 403)
    assert.equal((await endWell(provider, order, minted)).containment, 'proved')
    return undefined
  },

  'P6: a lease without a handle is ended by its name': async (server, provider) => {
    const order = orderFor(TOKEN_TARGET, tickets())
    const minted = await provider.mint(order)
    const names = (await provider.inventory?.())?.map((found) => found.upstreamName)
    assert.equal(names?.includes(order.upstreamName), true)
    assert.equal((await endWell(provider, order, null)).containment, 'enforced')
    assert.equal(await server.status(tokenOf(minted), 'GET', `${RUN}/data/tickets/1`), 403)
    const left = (await provider.inventory?.())?.map((found) => found.upstreamName)
    assert.equal(left?.includes(order.upstreamName), false)
    return undefined
  },

  'P5: a renewal prolongs, and a token dies by itself': async (server, provider) => {
    const order = { ...orderFor(TOKEN_TARGET, tickets()), ttlSeconds: 2 }
    const minted = await provider.mint(order)
    const renewed = await provider.renew?.({
      ...order,
      ttlSeconds: 4,
      notAfter: Date.now() + 4_000,
      handle: minted.handle,
    })
    assert.ok((renewed?.nativeExpiresAt ?? 0) > minted.nativeExpiresAt)
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    assert.equal(await server.status(tokenOf(minted), 'GET', `${RUN}/data/tickets/1`), 200)
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    assert.equal(await server.status(tokenOf(minted), 'GET', `${RUN}/data/tickets/1`), 403)
    await endWell(provider, order, minted)
    return undefined
  },

  'P4: a constrained parameter is demanded and checked': async (server, provider) => {
    const intent: IntentItem[] = [
      {
        type: 'vault',
        actions: ['create', 'update'],
        locations: [`${RUN}-plain/x`],
        constraints: { mode: ['safe'], note: [] },
      },
    ]
    const order = orderFor(TOKEN_TARGET, intent)
    const minted = await provider.mint(order)
    const write = (body: unknown) => server.status(tokenOf(minted), 'POST', `${RUN}-plain/x`, body)
    assert.equal(await write({ mode: 'safe', note: 'any' }), 204)
    assert.equal(await write({ mode: 'wild' }), 403)
    assert.equal(await write({ note: 'any' }), 403)
    assert.equal(await write({ mode: 'safe', other: '1' }), 403)
    await endWell(provider, order, minted)
    return undefined
  },

  'P4: what 10,000 random intents compile to grants exactly what they say': async (server) => {
    const intents = fc.sample(anyIntent, INTENTS)
    let judged = 0
    const worker = async (policyName: string) => {
      const token = await server.tokenUnder(policyName)
      for (let items = intents.pop(); items; items = intents.pop()) {
        const policy = compilePolicy(items)
        if ('refused' in policy) continue
        await judge(server, { token, policyName, policy: JSON.stringify(policy), items })
        judged += 1
      }
    }
    await Promise.all(Array.from({ length: PARALLEL }, (_, i) => worker(`${RUN}-judged-${i}`)))
    console.log(`vault: ${judged} of ${INTENTS} intents could be said exactly, each judged there`)
    return undefined
  },

  'P6: a one-time password is gone when its end is acknowledged': async (server, provider) => {
    await server.root('POST', `${RUN}-ssh/roles/otp`, {
      key_type: 'otp',
      default_user: 'agent',
      cidr_list: '192.0.2.0/24',
    })
    const parameters = { ip: '192.0.2.1' }
    const order = engineOrder('ssh', `${RUN}-ssh/creds/otp`, { parameters })
    const minted = await provider.mint(order)
    assert.equal((await endWell(provider, order, minted)).containment, 'proved')
    const verify = { otp: secretOf(minted, 'key') }
    assert.equal(await server.rootStatus('POST', `${RUN}-ssh/verify`, verify), 400)
    return undefined
  },

  'P6: SSH certificates are only expiry, and no policy stays behind': async (server, provider) => {
    await server.root('POST', `${RUN}-ssh/config/ca`, { generate_signing_key: true })
    await server.root('POST', `${RUN}-ssh/roles/ca`, {
      key_type: 'ca',
      allow_user_certificates: true,
      allowed_users: '*',
      default_user: 'agent',
    })
    const parameters = { public_key: sshPublicKey() }
    const order = engineOrder('ssh', `${RUN}-ssh/sign/ca`, { parameters })
    const minted = await provider.mint(order)
    assert.match(secretOf(minted, 'signed_key'), /^ssh-ed25519-cert-v01/)
    const policy = `sys/policies/acl/${order.upstreamName}`
    assert.equal(await server.rootStatus('GET', policy), 404)
    return undefined
  },

  'P6: a leased certificate is listed as revoked, and never called proved': async (
    server,
    provider,
  ) => {
    await server.root('POST', `${RUN}-pki/root/generate/internal`, { common_name: 'interop' })
    const role = { allow_any_name: true, key_type: 'ec', key_bits: 256 }
    await server.root('POST', `${RUN}-pki/roles/leased`, { ...role, generate_lease: true })
    await server.root('POST', `${RUN}-pki/roles/plain`, role)
    const parameters = { common_name: 'agent.example.com' }
    const order = engineOrder('pki', `${RUN}-pki/issue/leased`, { parameters, leased: true })
    const minted = await provider.mint(order)
    const outcome = await endWell(provider, order, minted)
    assert.equal(outcome.containment, 'enforced')
    assert.ok(outcome.exposedUntil >= Date.now() + 20_000)
    const serial = secretOf(minted, 'serial_number')
    const { data } = await server.root('GET', `${RUN}-pki/cert/${serial}`)
    assert.ok(Number(numberField(data, 'revocation_time')) > 0)
    const plain = engineOrder('pki', `${RUN}-pki/issue/plain`, { parameters })
    assert.deepEqual((await provider.mint(plain)).handle.leases, [])
    return undefined
  },

  'P6: a static value comes without a token and without a lease': async (_, provider) => {
    const order = engineOrder('kv', `${RUN}/data/tickets/1`, {}, 'read')
    const minted = await provider.mint(order)
    assert.equal(secretOf(minted, 'text'), 'printer on fire')
    assert.deepEqual(minted.handle.leases, [])
    return undefined
  },

  'P6: a database user is gone when its end is acknowledged': async (server, provider) => {
    const [connection] = await server.list('database/config')
    if (connection === undefined) return 'skipped'
    await server.root('POST', `database/roles/${RUN}`, {
      db_name: connection,
      default_ttl: '1h',
      creation_statements: [
        `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';`,
      ],
    })
    const path = `database/creds/${RUN}`
    const intent = [{ type: 'vault', actions: ['read'], locations: [path] }]
    const order = orderFor({ kind: 'dynamic', engine: 'database', path }, intent)
    const minted = await provider.mint(order)
    assert.ok(minted.expiresAt <= order.notAfter)
    assert.ok(minted.nativeExpiresAt <= Date.now() + TTL_SECONDS * 1_000 + 5_000)
    const outcome = await endWell(provider, order, minted)
    assert.equal(outcome.containment, 'proved')
    assert.deepEqual(await server.list(`sys/leases/lookup/${path}`), [])
    return undefined
  },

  'P6: a user the database would not drop is not called ended, and is ended when it can be': async (
    server,
    provider,
  ) => {
    const [connection] = await server.list('database/config')
    if (connection === undefined) return 'skipped'
    const role = (revocation: readonly string[]) =>
      server.root('POST', `database/roles/${RUN}`, {
        db_name: connection,
        default_ttl: '1h',
        creation_statements: [
          `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';`,
        ],
        revocation_statements: revocation,
      })
    await role(['SELECT 1/0;'])
    const order = engineOrder('database', `database/creds/${RUN}`, {}, 'read')
    const minted = await provider.mint(order)
    await assert.rejects(endWell(provider, order, minted), /not ended/)
    await role([])
    assert.equal((await endWell(provider, order, minted)).containment, 'proved')
    return undefined
  },

  'P1: whatever a mint cut off at any moment left is found by name and ended': async (
    server,
    provider,
  ) => {
    for (const deadline of [1, 2, 4, 8, 16, 32]) {
      const order = orderFor(TOKEN_TARGET, tickets())
      const signal = AbortSignal.timeout(deadline)
      const minted = await provider.mint({ ...order, signal }).catch(() => undefined)
      await endWell(provider, order, null)
      // What lands after the first end is why the broker ends it again until it cannot live.
      await new Promise((resolve) => setTimeout(resolve, 200))
      await endWell(provider, order, null)
      if (minted) {
        const ticket = `${RUN}/data/tickets/1`
        assert.equal(await server.status(tokenOf(minted), 'GET', ticket), 403)
      }
      const left = (await provider.inventory?.())?.map((found) => found.upstreamName)
      assert.equal(left?.includes(order.upstreamName), false)
    }
    return undefined
  },

  'a token of its own that was revoked is replaced by one new login': async (server, provider) => {
    await server.root('PUT', `sys/leases/revoke-prefix/auth/${RUN}/login`, { sync: true })
    const order = orderFor(TOKEN_TARGET, tickets())
    const minted = await provider.mint(order)
    assert.equal((await endWell(provider, order, minted)).containment, 'proved')
    return undefined
  },

  'a namespace of its own holds everything, and its parent sees none of it': async (server) => {
    const name = `${RUN}-ns`
    if ((await server.rootStatus('POST', `sys/namespaces/${name}`, {})) !== 200) return 'skipped'
    const inside = server.within(name)
    const provider = await connect(inside)
    try {
      const order = orderFor(TOKEN_TARGET, tickets())
      const minted = await provider.mint(order)
      assert.equal(minted.credential.namespace, name)
      const ticket = `${RUN}/data/tickets/1`
      assert.equal(await inside.status(tokenOf(minted), 'GET', ticket), 200)
      assert.equal(await server.status(tokenOf(minted), 'GET', ticket), 403)
      assert.equal((await endWell(provider, order, minted)).containment, 'proved')
      assert.equal(await inside.status(tokenOf(minted), 'GET', ticket), 403)
    } finally {
      await provider.close()
      await inside.cleanUp()
      await server.rootStatus('DELETE', `sys/namespaces/${name}`)
    }
    return undefined
  },
}

async function connect(server: RealServer): Promise<Provider> {
  await server.root('POST', `sys/mounts/${RUN}`, { type: 'kv', options: { version: '2' } })
  await server.root('POST', `sys/mounts/${RUN}-plain`, { type: 'kv', options: { version: '1' } })
  await server.root('POST', `sys/mounts/${RUN}-pki`, { type: 'pki' })
  const config = { default_lease_ttl: '20s' }
  await server.root('POST', `sys/mounts/${RUN}-ssh`, { type: 'ssh', config })
  await server.root('POST', `sys/auth/${RUN}`, { type: 'approle' })
  await server.root('POST', `auth/token/roles/${RUN}`, {
    allowed_policies_glob: ['mf-*'],
    orphan: true,
    token_type: 'service',
    token_no_default_policy: true,
  })
  // A version 2 mount takes a moment to be ready for writes.
  await server.retry(() =>
    server.root('POST', `${RUN}/data/tickets/1`, { data: { text: 'printer on fire' } }),
  )
  await server.root('POST', `${RUN}/data/payroll/1`, { data: { text: 'none of your business' } })
  const mint = await server.approle('mint', MINT_POLICY.replaceAll('mayfly', RUN))
  const revoke = await server.approle('revoke', REVOKE_POLICY)
  const secrets = new Map([
    ['env:MINT', mint.secretId],
    ['env:REVOKE', revoke.secretId],
  ])
  return definition.create({
    name: 'interop',
    installation: RUN,
    writer: writerOf(),
    settings: definition.settings.parse({
      type: 'vault',
      address: server.address,
      ...(server.namespace === undefined ? {} : { namespace: server.namespace }),
      auth: { method: 'approle', mount: RUN, role_id: mint.roleId, secret_id: 'env:MINT' },
      revoke_auth: {
        method: 'approle',
        mount: RUN,
        role_id: revoke.roleId,
        secret_id: 'env:REVOKE',
      },
      token_role: RUN,
      mounts: { [RUN]: 'kv', [`${RUN}-plain`]: 'kv' },
    }),
    clock: steadyClock(
      { wall: () => Date.now(), monotonic: () => performance.now(), after: () => () => {} },
      0,
    ),
    secret: (reference) => new Secret(secrets.get(reference) ?? ''),
    log: { info: () => {}, warn: () => {} },
  })
}

function tickets(): IntentItem[] {
  return [{ type: 'vault', actions: ['read'], locations: [`${RUN}/data/tickets/*`] }]
}

function orderFor(target: unknown, intent: readonly IntentItem[]): MintOrder {
  const lease = newId('lease', idSource)
  return {
    lease,
    upstreamName: upstreamName(lease),
    generation: 1,
    task: newId('task', idSource),
    agent: 'interop',
    tenant: 'interop',
    holder: { key: null, chain: [] },
    target: definition.target.parse(target),
    targetName: 'interop',
    group: null,
    scope: {},
    intent,
    ttlSeconds: TTL_SECONDS,
    notAfter: Date.now() + TTL_SECONDS * 1_000,
    slot: null,
    handle: null,
    signal: AbortSignal.timeout(10_000),
  }
}

async function endWell(provider: Provider, order: MintOrder, minted: Minted | null) {
  const { lease, upstreamName, task, agent, tenant, target, targetName } = order
  const end: EndOrder = {
    ...{ lease, upstreamName, task, agent, tenant, target, targetName },
    group: null,
    slot: null,
    handle: minted?.handle ?? null,
    nativeExpiresAt: minted?.nativeExpiresAt ?? null,
    // As a store has it: nothing more was committed than what is known to live.
    latestPossibleExpiry: minted ? minted.nativeExpiresAt + SKEW_MS : order.notAfter + 60_000,
  }
  const signal = AbortSignal.timeout(10_000)
  const outcomes = await provider.revoke?.({ group: null, orders: [end], stillRefused: [], signal })
  const outcome = outcomes?.[0]
  if (!outcome?.ok) throw new Error(`not ended: ${outcome?.error}`)
  return outcome
}

function tokenOf({ credential }: Minted): string {
  const { token } = credential
  if (!(token instanceof Secret)) throw new Error('the credential has no token')
  return token.reveal()
}

/** Judged by the server: what a token under the compiled policy may do on random paths. */
async function judge(
  server: RealServer,
  one: { token: string; policyName: string; policy: string; items: readonly IntentItem[] },
): Promise<void> {
  const { token, policyName, policy, items } = one
  await server.root('POST', `sys/policies/acl/${policyName}`, { policy })
  const paths = [...new Set(fc.sample(anyPath, 20).map((path) => path.replace(/\/$/, '')))]
  const granted = await server.capabilities(token, paths)
  for (const path of paths) {
    const asked = CAPABILITIES.filter(
      (action) => action !== 'list' && items.some((item) => says(item, action, path)),
    )
    const given = granted(path).filter((action) => action !== 'list' && action !== 'deny')
    assert.deepEqual(given.sort(), [...asked].sort(), JSON.stringify({ items, path }))
  }
}

function engineOrder(engine: string, path: string, more: object, action = 'update'): MintOrder {
  const intent = [{ type: 'vault', actions: [action], locations: [path] }]
  return orderFor({ kind: 'dynamic', engine, path, ...more }, intent)
}

function secretOf({ credential }: Minted, name: string): string {
  const { data } = credential
  const value = typeof data === 'object' && !(data instanceof Secret) ? data[name] : undefined
  if (!(value instanceof Secret)) throw new Error(`the credential has no ${name}`)
  return value.reveal()
}

function numberField(value: unknown, name: string): unknown {
  const fields = typeof value === 'object' && value !== null ? Object.entries(value) : []
  return fields.find(([key]) => key === name)?.[1]
}

/** RFC 8709 §4: the wire form of an Ed25519 key nobody has the other half of any more. */
function sshPublicKey(): string {
  const text = (value: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(value.length)
    return Buffer.concat([length, value])
  }
  const { publicKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)
  const blob = Buffer.concat([text(Buffer.from('ssh-ed25519')), text(raw)])
  return `ssh-ed25519 ${blob.toString('base64')}`
}

function says(item: IntentItem, action: string, path: string): boolean {
  return item.actions.includes(action) && item.locations.some((one) => pathMatcher(one)(path))
}

const anyIntent = fc.array(
  fc.record({
    type: fc.constant('vault'),
    actions: fc.subarray(
      CAPABILITIES.filter((one) => one !== 'list'),
      { minLength: 1 },
    ),
    locations: fc.array(anyLocation, { minLength: 1, maxLength: 2 }),
  }),
  { minLength: 1, maxLength: 4 },
)

/** The server as its root sees it. */
class RealServer {
  readonly address: string
  readonly namespace: string | undefined
  readonly #token: string

  constructor(address: string, token: string, namespace?: string) {
    this.address = address
    this.namespace = namespace
    this.#token = token
  }

  within(namespace: string): RealServer {
    return new RealServer(this.address, this.#token, namespace)
  }

  async status(token: string, method: string, path: string, body?: unknown): Promise<number> {
    return (await this.#fetch(token, method, path, body)).status
  }

  async root(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const response = await this.#fetch(this.#token, method, path, body)
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${response.text}`)
    return response.text === '' ? {} : JSON.parse(response.text)
  }

  async rootStatus(method: string, path: string, body?: unknown): Promise<number> {
    return (await this.#fetch(this.#token, method, path, body)).status
  }

  async list(path: string): Promise<readonly string[]> {
    const response = await this.#fetch(this.#token, 'GET', `${path}?list=true`)
    if (response.status !== 200) return []
    const { data } = JSON.parse(response.text)
    return Array.isArray(data?.keys) ? data.keys.map(String) : []
  }

  /** A token under exactly this policy, whatever it says by then. */
  async tokenUnder(policy: string): Promise<string> {
    const made = await this.root('POST', 'auth/token/create', {
      policies: [policy],
      no_default_policy: true,
      ttl: '15m',
    })
    return field(made.auth, 'client_token')
  }

  /** What a token may do on each path, by the server's own word. */
  async capabilities(token: string, paths: readonly string[]) {
    const answer = await this.root('POST', 'sys/capabilities', { token, paths })
    const data = new Map(Object.entries(typeof answer.data === 'object' ? (answer.data ?? {}) : {}))
    return (path: string): string[] => {
      const list: unknown = data.get(path)
      return Array.isArray(list) ? list.map(String) : []
    }
  }

  async approle(name: string, policy: string) {
    const role = `auth/${RUN}/role/${name}`
    await this.root('POST', `sys/policies/acl/${RUN}-${name}`, { policy })
    await this.root('POST', role, { token_policies: [`${RUN}-${name}`], token_ttl: '10m' })
    const id = await this.root('GET', `${role}/role-id`)
    const secret = await this.root('POST', `${role}/secret-id`, {})
    return { roleId: field(id.data, 'role_id'), secretId: field(secret.data, 'secret_id') }
  }

  async retry(step: () => Promise<unknown>): Promise<void> {
    for (let left = 10; ; left -= 1) {
      try {
        await step()
        return
      } catch (error) {
        if (left === 0) throw error
        await new Promise((resolve) => setTimeout(resolve, 300))
      }
    }
  }

  async cleanUp(): Promise<void> {
    for (const path of [
      `sys/mounts/${RUN}`,
      `sys/mounts/${RUN}-plain`,
      `sys/mounts/${RUN}-pki`,
      `sys/mounts/${RUN}-ssh`,
      `sys/auth/${RUN}`,
      ...Array.from({ length: PARALLEL }, (_, i) => `sys/policies/acl/${RUN}-judged-${i}`),
      `auth/token/roles/${RUN}`,
      `sys/policies/acl/${RUN}`,
      `sys/policies/acl/${RUN}-mint`,
      `sys/policies/acl/${RUN}-revoke`,
      `database/roles/${RUN}`,
    ]) {
      await this.#fetch(this.#token, 'DELETE', path)
    }
  }

  async #fetch(token: string, method: string, path: string, body?: unknown) {
    const response = await fetch(`${this.address}/v1/${path}`, {
      method,
      headers: {
        'x-vault-token': token,
        ...(this.namespace === undefined ? {} : { 'x-vault-namespace': this.namespace }),
      },
      signal: AbortSignal.timeout(30_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: response.status, ok: response.ok, text: await response.text() }
  }
}

function field(value: unknown, name: string): string {
  const fields = typeof value === 'object' && value !== null ? Object.entries(value) : []
  const found: unknown = fields.find(([key]) => key === name)?.[1]
  if (typeof found !== 'string') throw new Error(`the server's answer has no ${name}`)
  return found
}
