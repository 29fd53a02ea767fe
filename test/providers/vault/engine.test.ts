import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { vault as definition } from '../../../providers/vault/index.ts'
import type { Minted } from '../../../src/provider.ts'
import { Secret } from '../../../src/secret.ts'
import { type LeaseBench, startLeaseBench } from './lease-bench.ts'

const SETTINGS = {
  type: 'vault',
  address: 'https://vault.example.com:8200',
  auth: { method: 'token', token: 'env:VAULT_TOKEN' },
}
const target = (engine: string, path: string, more: object = {}) => ({
  kind: 'dynamic',
  engine,
  path,
  ...more,
})
const named = { parameters: { common_name: 'agent.example.com' } }
const DATABASE = target('database', 'database/creds/readonly')
const PKI = target('pki', 'pki/issue/plain', named)
const PKI_LEASED = target('pki', 'pki/issue/leased', { ...named, leased: true })
const EXISTING = target('kubernetes', 'kubernetes/creds/existing', { service_account: 'existing' })
const GENERATED = target('kubernetes', 'kubernetes/creds/generated', {
  service_account: 'generated',
})
const USER = target('aws', 'aws/creds/user', { credential: 'iam_user' })
const SESSION = target('aws', 'aws/sts/session', { credential: 'assumed_role' })
const OTP = target('ssh', 'ssh/creds/otp', { parameters: { ip: '192.0.2.1' } })
const CERTIFICATE = target('ssh', 'ssh/sign/certificate', { parameters: { public_key: 'ssh-x' } })
const VALUE = target('kv', 'secret/data/tickets/4711')

describe('what ending a secret of an engine does', () => {
  it.each([
    [DATABASE, 'read', 'immediate', 'lookup', ['open-database-session']],
    [OTP, 'update', 'immediate', 'lookup', ['open-ssh-session']],
    [PKI_LEASED, 'update', 'propagating', 'expiry', ['unchecked-certificate']],
    [GENERATED, 'update', 'propagating', 'expiry', ['offline-service-account-token']],
    [USER, 'read', 'propagating', 'expiry', ['assumed-sessions', 'unexpiring-access-key']],
    [PKI, 'update', 'expiry', 'expiry', []],
    [EXISTING, 'update', 'expiry', 'expiry', []],
    [SESSION, 'update', 'expiry', 'expiry', ['assumed-sessions']],
    [CERTIFICATE, 'update', 'expiry', 'expiry', ['open-ssh-session']],
    [VALUE, 'read', 'expiry', 'expiry', ['static-secret']],
  ])('says of %j: %s, %s, %s, leaves %j', (wanted, action, revocability, proof, residuals) => {
    const one = { type: 'vault', actions: [action], locations: [wanted.path] }
    const description = definition.describe({
      settings: definition.settings.parse(SETTINGS),
      target: definition.target.parse(wanted),
      intent: [one],
    })
    expect(description).toMatchObject({ revocability, proof, residuals, target: wanted.path })
  })

  it.each([
    target('kubernetes', 'kubernetes/creds/x'),
    target('aws', 'aws/creds/x'),
    target('pki', 'pki/issue/*'),
    target('pki', 'pki/issue/x', { parameters: { ttl: '10000h' } }),
    target('kv', 'secret/data/tickets/*'),
    target('kv', 'sys/policies/acl/x'),
    target('totp', 'totp/code/x'),
  ])('P3: refuses the target %j, which does not say enough or too much', (wanted) => {
    expect(definition.target.safeParse(wanted).success).toBe(false)
  })
})

describe('a secret of an engine over its life', () => {
  let bench: LeaseBench
  let now: number
  beforeEach(async () => {
    now = Date.now()
    bench = await startLeaseBench({ now: () => now })
  })
  afterEach(() => bench.close())

  it.each([
    [OTP, 'key'],
    [GENERATED, 'service_account_token'],
    [USER, 'secret_key'],
  ])('P6: an end of %j takes it away', async (wanted, field) => {
    const order = bench.order(wanted)
    const minted = await bench.mint(order)
    const secret = fieldOf(minted, field)
    expect(bench.vault.honours(secret)).toBe(true)
    expect(await bench.end(order, minted)).toMatchObject({ ok: true })
    expect(bench.vault.honours(secret)).toBe(false)
  })

  it('P6: the end of a one-time password is proved', async () => {
    const order = bench.order(OTP)
    const outcome = await bench.end(order, await bench.mint(order))
    expect(outcome).toMatchObject({ containment: 'proved', proof: { method: 'lookup' } })
  })

  it.each([PKI_LEASED, GENERATED, USER])(
    'P6: what bites later than vault answers is never called proved, and counts as working to its own end: %j',
    async (wanted) => {
      const order = bench.order(wanted)
      const minted = await bench.mint(order)
      const { nativeExpiresAt: exposedUntil } = minted
      const outcome = await bench.end(order, minted)
      expect(outcome).toMatchObject({ ok: true, containment: 'enforced', exposedUntil })
      const [proof] = (await bench.provider.prove?.([bench.endOf(order, minted)])) ?? []
      expect(proof?.proof).toBeUndefined()
    },
  )

  it('P6: an access key that never expires counts as working for a while after vault may have deleted it', async () => {
    const order = bench.order(USER)
    const minted = await bench.mint(order)
    expect(minted.expiresAt).toBeLessThanOrEqual(order.notAfter)
    // What vault deletes when its lease ends, AWS may honour for minutes.
    expect(minted.nativeExpiresAt).toBeGreaterThanOrEqual(order.notAfter + 300_000 - 1_000)
  })

  it('P6: a certificate counts as working to its end, also on the revocation list', async () => {
    const order = bench.order(PKI_LEASED)
    const minted = await bench.mint(order)
    const outcome = await bench.end(order, minted)
    expect(outcome).toMatchObject({ exposedUntil: minted.nativeExpiresAt })
    expect(bench.vault.honours(fieldOf(minted, 'private_key'))).toBe(true)
    now = minted.nativeExpiresAt
    expect(bench.vault.honours(fieldOf(minted, 'private_key'))).toBe(false)
  })

  it.each([
    [EXISTING, 'service_account_token', 670_000],
    [SESSION, 'secret_key', 900_000],
    [CERTIFICATE, 'signed_key', 60_000],
    [PKI, 'private_key', 60_000],
  ])(
    'P5: %j lives on until the moment that was said, and not longer',
    async (wanted, field, least) => {
      const minted = await bench.mint(bench.order(wanted))
      const secret = fieldOf(minted, field)
      expect(minted.nativeExpiresAt).toBeGreaterThanOrEqual(now + least - 1_000)
      now = minted.nativeExpiresAt - 2_000
      await bench.vault.settle()
      expect(bench.vault.honours(secret)).toBe(true)
      now = minted.nativeExpiresAt
      expect(bench.vault.honours(secret)).toBe(false)
    },
  )

  it('leaves no policy behind where nothing is ended upstream, also after a lost answer', async () => {
    const lasting = bench.freshOrder(SESSION)
    await bench.mint(lasting)
    expect(bench.vault.hasPolicy(lasting.upstreamName)).toBe(false)
    const lost = bench.freshOrder(SESSION)
    bench.vault.faults.plan('POST aws/sts/session', { kind: 'lose' }, 1)
    await expect(bench.mint(lost)).rejects.toMatchObject({ outcome: 'unknown' })
    expect(bench.vault.hasPolicy(lost.upstreamName)).toBe(false)
  })

  it('hands out a static value only as what it is: without a token, and without a lease', async () => {
    const minted = await bench.mint(bench.order(VALUE))
    expect(fieldOf(minted, 'text')).toBe('printer on fire')
    expect(minted.credential).not.toHaveProperty('token')
    expect(minted.handle).toMatchObject({ leases: [] })
  })

  it('P5: a secret of fixed life is renewed by another one, and an end takes both', async () => {
    const order = bench.order(GENERATED)
    const first = await bench.mint(order)
    const again = { ...order, generation: 2, handle: first.handle }
    const second = await bench.provider.renew?.(again)
    if (!second) throw new Error('not renewed')
    expect(fieldOf(second, 'service_account_token')).not.toBe(
      fieldOf(first, 'service_account_token'),
    )
    expect(await bench.end(order, second)).toMatchObject({ ok: true })
    for (const one of [first, second]) {
      expect(bench.vault.honours(fieldOf(one, 'service_account_token'))).toBe(false)
    }
  })

  it('P6: where the answer to such a renewal was lost, nothing is proved by the one before', async () => {
    const order = bench.order(OTP)
    const first = await bench.mint(order)
    const again = { ...order, generation: 2, handle: first.handle }
    const lost = await bench.provider.renew?.(again)
    if (!lost) throw new Error('not renewed')
    // As the store knows it: a later expiry was committed, and no answer came.
    const latestPossibleExpiry = lost.nativeExpiresAt + 45_000
    const ending = { ...bench.endOf(order, first), latestPossibleExpiry }
    const signal = AbortSignal.timeout(5_000)
    const batch = { group: null, orders: [ending], stillRefused: [], signal }
    expect(await bench.provider.revoke?.(batch)).toMatchObject([
      { ok: true, containment: 'enforced', exposedUntil: latestPossibleExpiry },
    ])
    expect(await bench.provider.prove?.([ending])).toEqual([{ lease: order.lease }])
    // Its token was found by name; what that one read waits in Vault's own queue.
    expect(bench.leaseTokens()).toEqual([])
    expect(bench.vault.honours(fieldOf(lost, 'key'))).toBe(true)
  })

  it('P4: a role that leases what the target calls unleased is told, not mislabelled', async () => {
    const wrong = { ...PKI, path: 'pki/issue/leased' }
    await expect(bench.mint(bench.order(wrong))).rejects.toThrow('target.leased')
    const missing = { ...PKI_LEASED, path: 'pki/issue/plain' }
    await expect(bench.mint(bench.order(missing))).rejects.toThrow('no lease')
  })

  it('P5: a one-time password that outlives its lease is not handed out', async () => {
    await bench.vault.root('POST', 'ssh/roles/otp', { key_type: 'otp', default_ttl: '1h' })
    const order = bench.order(OTP)
    await expect(bench.mint(order)).rejects.toMatchObject({ outcome: 'unknown' })
    expect(await bench.end(order, null)).toMatchObject({ ok: true })
    await bench.vault.settle()
    expect(bench.vault.ledger.working().filter(({ name }) => name !== undefined)).toEqual([])
  })
})

function fieldOf({ credential }: Minted, name: string): string {
  const { data } = credential
  const value = typeof data === 'object' && !(data instanceof Secret) ? data[name] : undefined
  if (value instanceof Secret) return value.reveal()
  throw new Error(`no secret named ${name}`)
}
