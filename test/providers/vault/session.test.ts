import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { VaultClient } from '../../../providers/vault/client.ts'
import { VaultSession } from '../../../providers/vault/session.ts'
import type { Auth } from '../../../providers/vault/settings.ts'
import { Secret } from '../../../src/secret.ts'
import { Ledger } from '../../sandbox/ledger.ts'
import { startVaultSandbox, type VaultSandbox } from '../../sandbox/vault/index.ts'

describe('mayfly’s own identity at vault', () => {
  let vault: VaultSandbox
  let client: VaultClient
  let now = Date.now()
  let tick = 0
  const secrets = new Map<string, string>()

  beforeEach(async () => {
    vault = await startVaultSandbox({ ledger: new Ledger(), now: () => now })
    client = new VaultClient({
      address: vault.address,
      namespace: undefined,
      ca: undefined,
      timeoutMs: 2_000,
    })
    await vault.root('POST', 'kv/x', { value: '1' })
    await vault.root('POST', 'sys/policies/acl/reader', {
      policy: 'path "kv/*" { capabilities = ["read"] }',
    })
    const role = { token_policies: ['reader'], token_ttl: '60s' }
    await vault.root('POST', 'auth/approle/role/broker', role)
    const id = await vault.root('GET', 'auth/approle/role/broker/role-id')
    const secret = await vault.root('POST', 'auth/approle/role/broker/secret-id')
    secrets.set('role-id', String(id.data?.role_id))
    secrets.set('env:SECRET_ID', String(secret.data?.secret_id))
    const jwt = randomBytes(16).toString('hex')
    secrets.set('file:/var/run/token', jwt)
    vault.acceptJwt('kubernetes', 'broker', jwt, role)
    vault.acceptJwt('jwt', 'broker', jwt, role)
  })
  afterEach(async () => {
    client.close()
    await vault.close()
  })

  it.each<[string, () => Auth]>([
    ['approle', () => approle()],
    [
      'kubernetes',
      () => ({
        method: 'kubernetes',
        mount: 'kubernetes',
        role: 'broker',
        token_file: '/var/run/token',
      }),
    ],
    ['jwt', () => ({ method: 'jwt', mount: 'jwt', role: 'broker', jwt: 'file:/var/run/token' })],
  ])('logs in with %s once and calls with that token', async (_, auth) => {
    const session = sessionOf(auth())
    expect(await read(session)).toBe('1')
    expect(await read(session)).toBe('1')
    expect(logins()).toBe(1)
  })

  it('logs in once for many calls at the same moment', async () => {
    const session = sessionOf(approle())
    await Promise.all([read(session), read(session), read(session)])
    expect(logins()).toBe(1)
  })

  it('logs in again before its token expires', async () => {
    const session = sessionOf(approle())
    await read(session)
    now += 41_000
    await read(session)
    expect(logins()).toBe(2)
  })

  it('logs in again when vault does not know its token any more, and tries the call once more', async () => {
    const session = sessionOf(approle())
    await read(session)
    await revokeAll()
    expect(await read(session)).toBe('1')
    expect(logins()).toBe(2)
  })

  it('logs in once where many calls find their token gone at the same moment', async () => {
    const session = sessionOf(approle())
    await read(session)
    await revokeAll()
    const calls = Array.from({ length: 20 }, () => read(session))
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 20 }, () => '1'))
    expect(logins()).toBe(2)
  })

  it('goes on with a token that still lives while vault refuses a new login', async () => {
    const session = sessionOf(approle())
    await read(session)
    vault.faults.plan('POST auth/approle/login', { kind: 'fail', status: 503 })
    now += 45_000
    expect(await read(session)).toBe('1')
    now += 20_000
    await expect(read(session)).rejects.toMatchObject({ outcome: 'unknown' })
    vault.faults.clear()
    expect(await read(session)).toBe('1')
  })

  it('asks a vault that refuses its login once a second, with what its file then says', async () => {
    const right = secrets.get('env:SECRET_ID') ?? ''
    secrets.set('env:SECRET_ID', 'outdated-secret-id')
    const session = sessionOf(approle())
    const plan = () => read(session).catch((error: unknown) => error)
    for (const _ of [1, 2, 3]) expect(await plan()).toMatchObject({ status: 400 })
    secrets.set('env:SECRET_ID', right)
    expect(await plan()).toMatchObject({ status: 400 })
    tick += 1_000
    expect(await plan()).toBe('1')
    expect(logins()).toBe(1)
  })

  it('does not log in again for what its living token may not do', async () => {
    const session = sessionOf(approle())
    const forbidden = { method: 'read', path: 'secret/data/x', signal: soon() } as const
    await expect(session.call(forbidden)).rejects.toMatchObject({ status: 403 })
    expect(logins()).toBe(1)
  })

  it('reads a token from its file again when the old one is dead', async () => {
    const create = () => vault.root('POST', 'auth/token/create', { policies: ['reader'] })
    secrets.set('file:/sink', `${(await create()).auth?.client_token}\n`)
    const session = sessionOf({ method: 'token', token: 'file:/sink' })
    expect(await read(session)).toBe('1')
    await revokeAll()
    secrets.set('file:/sink', `${(await create()).auth?.client_token}\n`)
    expect(await read(session)).toBe('1')
  })

  it('takes its own login with it when it closes, but never a token it was given', async () => {
    const session = sessionOf(approle())
    await read(session)
    await session.close()
    expect(vault.accessors()).toHaveLength(1)
    const given = sessionOf({ method: 'token', token: 'env:GIVEN' })
    secrets.set('env:GIVEN', vault.rootToken)
    await read(given)
    await given.close()
    expect(vault.accessors()).toHaveLength(1)
  })

  it('P2: a refused login says nothing of the secret that was shown', async () => {
    secrets.set('env:SECRET_ID', 'canary-secret-id')
    const error: unknown = await read(sessionOf(approle())).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ outcome: 'refused' })
    expect(String(error)).toContain('auth/approle/login')
    expect(String(error)).not.toContain('canary')
  })

  function approle(): Auth {
    const role_id = secrets.get('role-id') ?? ''
    return { method: 'approle', mount: 'approle', role_id, secret_id: 'env:SECRET_ID' }
  }

  function sessionOf(auth: Auth): VaultSession {
    return new VaultSession({
      client,
      auth,
      clock: {
        now: () => now,
        earliest: () => now,
        latest: () => now,
        monotonic: () => tick,
        after: () => () => {},
      },
      secret: (reference) => new Secret(secrets.get(reference) ?? ''),
    })
  }

  async function read(session: VaultSession): Promise<unknown> {
    const { body } = await session.call({ method: 'read', path: 'kv/x', signal: soon() })
    const { data } = body
    return typeof data === 'object' && data !== null && 'value' in data ? data.value : undefined
  }

  function logins(): number {
    return vault.ledger.minted.length
  }

  async function revokeAll(): Promise<void> {
    const own = await vault.root('GET', 'auth/token/lookup-self')
    for (const accessor of vault.accessors()) {
      if (accessor === own.data?.accessor) continue
      await vault.root('POST', 'auth/token/revoke-accessor', { accessor })
    }
  }
})

function soon(): AbortSignal {
  return AbortSignal.timeout(2_000)
}
