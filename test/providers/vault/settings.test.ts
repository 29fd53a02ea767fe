import { describe, expect, it } from 'vitest'
import { vault } from '../../../providers/vault/index.ts'

const SETTINGS = {
  type: 'vault',
  address: 'https://vault.example.com:8200',
  auth: { method: 'token', token: 'env:VAULT_TOKEN' },
}

describe('vault settings and targets', () => {
  it('fills in what an operator need not say', () => {
    expect(vault.settings.parse(SETTINGS)).toMatchObject({
      token_role: 'mayfly',
      mounts: {},
      max_lifetime: 28_800,
      timeout: 5,
    })
  })

  it.each([
    'http://vault.example.com:8200',
    'https://user:pass@vault.example.com',
    'https://vault.example.com/v1',
    'https://vault.example.com/?x',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'ftp://127.0.0.1',
    'vault',
  ])('P10: refuses the address %s', (address) => {
    expect(vault.settings.safeParse({ ...SETTINGS, address }).success).toBe(false)
  })

  it.each(['http://127.0.0.1:8200', 'http://[::1]:8200', 'http://localhost:8200', 'https://v:1/'])(
    'accepts the address %s',
    (address) => {
      expect(vault.settings.safeParse({ ...SETTINGS, address }).success).toBe(true)
    },
  )

  it.each([
    ['a secret written out', { auth: { method: 'token', token: 'hvs.secret' } }],
    ['an unknown field', { colour: 'red' }],
    ['a method without its fields', { auth: { method: 'approle', role_id: 'x' } }],
    ['a namespace with a header in it', { namespace: 'a\r\nX-Vault-Token: x' }],
    ['a mount with a wildcard', { mounts: { 'secret/*': 'kv' } }],
    ['a mount of unknown kind', { mounts: { pki: 'pki' } }],
    ['no time at all', { timeout: '0s' }],
  ])('P3: refuses %s', (_, change) => {
    expect(vault.settings.safeParse({ ...SETTINGS, ...change }).success).toBe(false)
  })

  it.each([
    [{ kind: 'token' }, true],
    [{ kind: 'dynamic', engine: 'database', path: 'database/creds/readonly' }, true],
    [{ kind: 'dynamic', engine: 'database', path: 'team/db/creds/readonly' }, true],
    [{ kind: 'dynamic', engine: 'database', path: 'database/creds/*' }, false],
    [{ kind: 'dynamic', engine: 'database', path: 'secret/data/x' }, false],
    [{ kind: 'dynamic', engine: 'kubernetes', path: 'kubernetes/creds/x' }, false],
    [{ kind: 'token', path: 'x' }, false],
    [{}, false],
  ])('takes the target %j: %s', (target, taken) => {
    expect(vault.target.safeParse(target).success).toBe(taken)
  })

  it('P4: calls a mount plain only where it does not govern vault itself', () => {
    const settings = vault.settings.parse({ ...SETTINGS, mounts: { auth: 'kv', sys: 'kv' } })
    const intent = [{ type: 'vault', actions: ['update'], locations: ['sys/policies/acl/x'] }]
    const target = vault.target.parse({ kind: 'token' })
    expect(vault.describe({ settings, target, intent })).toHaveProperty('refused')
  })

  it('lists an open database session among what outlives a database lease', () => {
    const settings = vault.settings.parse(SETTINGS)
    const path = 'database/creds/readonly'
    const target = vault.target.parse({ kind: 'dynamic', engine: 'database', path })
    const intent = [{ type: 'vault', actions: ['read'], locations: [path] }]
    expect(vault.describe({ settings, target, intent })).toMatchObject({
      target: path,
      revocability: 'immediate',
      proof: 'lookup',
      residuals: ['open-database-session'],
      scope: { policy: { path: { [path]: { capabilities: ['read'] } } } },
    })
  })
})
