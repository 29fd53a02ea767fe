import nodeVault from 'node-vault'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Ledger } from '../ledger.ts'
import { startVaultSandbox, type VaultSandbox } from './index.ts'

const READER = 'path "kv/*" { capabilities = ["read"] }'

describe('the sandbox Vault', () => {
  let vault: VaultSandbox
  let now: number
  beforeEach(async () => {
    now = Date.now()
    vault = await startVaultSandbox({ ledger: new Ledger(), now: () => now })
    await vault.root('POST', 'kv/x', { value: '1' })
    await vault.root('POST', 'sys/policies/acl/reader', { policy: READER })
  })
  afterEach(() => vault.close())

  describe('tokens', () => {
    it('honours a token until its ttl is over, and records each use', async () => {
      const token = await child({ policies: ['reader'], ttl: '10s' })
      expect(await ask(token.id, 'GET', 'kv/x')).toMatchObject({ status: 200 })
      now += 10_000
      expect(await ask(token.id, 'GET', 'kv/x')).toEqual(denied('permission denied'))
      expect(vault.ledger.uses.at(-1)).toMatchObject({ allowed: false })
      expect(vault.ledger.working()).toEqual([])
    })

    it('kills children with their parent, and orphans not', async () => {
      const parent = await child({ policies: ['root'] })
      const kin = await child({ policies: ['reader'] }, parent.id)
      const orphan = await child({ policies: ['reader'], no_parent: true }, parent.id)
      await vault.root('POST', 'auth/token/revoke-accessor', { accessor: parent.accessor })
      expect(await ask(kin.id, 'GET', 'kv/x')).toMatchObject({ status: 403 })
      expect(await ask(orphan.id, 'GET', 'kv/x')).toMatchObject({ status: 200 })
    })

    it('gives a child all policies of its parent when it names none', async () => {
      const parent = await child({ policies: ['reader'], no_default_policy: true })
      await vault.root('POST', 'sys/policies/acl/reader', {
        policy: `${READER}\npath "auth/token/create" { capabilities = ["update"] }`,
      })
      const kin = await ask(parent.id, 'POST', 'auth/token/create', { no_default_policy: true })
      expect(kin.body).toMatchObject({ auth: { policies: ['reader'] } })
      const wider = await ask(parent.id, 'POST', 'auth/token/create', { policies: ['other'] })
      expect(wider).toEqual({
        status: 400,
        body: { errors: ['child policies must be subset of parent'] },
      })
    })

    it('stops a token after its uses, and does not let such a one make children', async () => {
      const token = await child({ policies: ['root'], num_uses: 2 })
      expect(await ask(token.id, 'POST', 'auth/token/create', {})).toMatchObject({ status: 400 })
      expect(await ask(token.id, 'GET', 'kv/x')).toMatchObject({ status: 200 })
      expect(await ask(token.id, 'GET', 'kv/x')).toMatchObject({ status: 403 })
    })

    it('renews up to the explicit maximum and no further', async () => {
      const token = await child({ policies: ['reader'], ttl: '10s', explicit_max_ttl: '15s' })
      now += 8_000
      const { auth } = await vault.root('POST', 'auth/token/renew-accessor', {
        accessor: token.accessor,
        increment: '10s',
      })
      expect(auth).toMatchObject({ lease_duration: 7, client_token: '' })
      now += 7_000
      expect(await ask(token.id, 'GET', 'kv/x')).toMatchObject({ status: 403 })
    })

    it('speaks of unknown tokens and accessors in vault’s own words', async () => {
      const asRoot = (path: string, body: unknown) => ask(vault.rootToken, 'POST', path, body)
      const accessor = 'nobody'
      expect(await asRoot('auth/token/lookup-accessor', { accessor })).toEqual({
        status: 400,
        body: { errors: ['invalid accessor'] },
      })
      expect(await asRoot('auth/token/revoke-accessor', { accessor })).toMatchObject({
        status: 200,
        body: { warnings: ['No token found with this accessor'] },
      })
      expect(await asRoot('auth/token/lookup', { token: 'x' })).toEqual(denied('bad token'))
    })

    it('lets a role decide family, type, policies and end', async () => {
      await vault.root('POST', 'auth/token/roles/narrow', {
        allowed_policies_glob: ['mf-*'],
        orphan: true,
        token_type: 'service',
        token_explicit_max_ttl: '60s',
        token_no_default_policy: true,
      })
      const create = (body: unknown) =>
        ask(vault.rootToken, 'POST', 'auth/token/create/narrow', body)
      expect(await create({ policies: ['mf-a'], type: 'batch', ttl: '1h' })).toMatchObject({
        body: {
          auth: { policies: ['mf-a'], token_type: 'service', orphan: true, lease_duration: 60 },
        },
      })
      expect(await create({ policies: ['root'] })).toMatchObject({ status: 400 })
      expect(await create({})).toMatchObject({ status: 400 })
    })

    it('gives batch tokens neither an accessor nor an early end', async () => {
      const { auth } = await vault.root('POST', 'auth/token/create', {
        policies: ['reader'],
        type: 'batch',
      })
      expect(auth).toMatchObject({ accessor: '', token_type: 'batch', renewable: false })
    })

    it('lists accessors only for sudo', async () => {
      const list = 'path "auth/token/accessors/" { capabilities = ["list"] }'
      await vault.root('POST', 'sys/policies/acl/lister', { policy: list })
      const token = await child({ policies: ['lister'] })
      expect(await ask(token.id, 'GET', 'auth/token/accessors?list=1')).toMatchObject({
        status: 403,
      })
      await vault.root('POST', 'sys/policies/acl/lister', {
        policy: list.replace('"list"', '"list", "sudo"'),
      })
      expect(await ask(token.id, 'GET', 'auth/token/accessors?list=true')).toMatchObject({
        status: 200,
        body: { data: { keys: expect.arrayContaining([token.accessor]) } },
      })
    })
  })

  describe('policies', () => {
    it('takes effect at once, and grants nothing once deleted', async () => {
      const token = await child({ policies: ['reader'] })
      expect(await ask(token.id, 'POST', 'kv/x', { value: '2' })).toMatchObject({ status: 403 })
      await vault.root('DELETE', 'sys/policies/acl/reader')
      expect(await ask(token.id, 'GET', 'kv/x')).toMatchObject({
        status: 403,
        body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] },
      })
      await vault.root('DELETE', 'sys/policies/acl/reader')
    })

    it.each([
      ['path "kv/x" { capabilities = ["fly"] }', 'invalid capability "fly"'],
      ['path "kv/+*" { capabilities = ["read"] }', "'+*' is forbidden"],
      ['path "kv/x" { capabilities = ["read" }', 'failed to parse policy'],
      ['{"path": {"kv/x": {"powers": []}}}', 'invalid key "powers"'],
      ['{"path": ', 'failed to parse policy'],
      ['roof "x" {}', 'invalid key "roof"'],
    ])('refuses %s', async (policy, why) => {
      const answer = await ask(vault.rootToken, 'POST', 'sys/policies/acl/bad', { policy })
      expect(answer.status).toBe(400)
      expect(JSON.stringify(answer.body)).toContain(why.replaceAll('"', '\\"'))
    })

    it('tells whoever asks what it may do', async () => {
      const token = await child({ policies: ['reader'] })
      const paths = ['kv/x', 'secret/data/x']
      const answer = await ask(token.id, 'POST', 'sys/capabilities-self', { paths })
      expect(answer.body).toMatchObject({ data: { 'kv/x': ['read'], 'secret/data/x': ['deny'] } })
    })
  })

  describe('leases and the database', () => {
    beforeEach(async () => {
      await vault.root('POST', 'database/config/main', { allowed_roles: ['app'] })
      await vault.root('POST', 'database/roles/app', {
        db_name: 'main',
        default_ttl: '60s',
        max_ttl: '90s',
      })
    })

    it('makes a user that really logs in, and drops it inline when asked to sync', async () => {
      const { lease, login } = await credentials()
      expect(vault.database.login(...login)).toBe(true)
      const body = { lease_id: lease, sync: true }
      expect(await ask(vault.rootToken, 'POST', 'sys/leases/revoke', body)).toMatchObject({
        status: 204,
      })
      expect(vault.database.login(...login)).toBe(false)
      expect(await ask(vault.rootToken, 'POST', 'sys/leases/lookup', body)).toEqual({
        status: 400,
        body: { errors: ['invalid lease'] },
      })
      expect(await ask(vault.rootToken, 'POST', 'sys/leases/revoke', body)).toMatchObject({
        status: 204,
      })
    })

    it('only queues what is revoked without sync, or through its token', async () => {
      const first = await credentials()
      const answer = await ask(vault.rootToken, 'POST', 'sys/leases/revoke', {
        lease_id: first.lease,
      })
      expect(answer.status).toBe(202)
      expect(vault.database.login(...first.login)).toBe(true)
      const token = await child({ policies: ['root'] })
      const second = await credentials(token.id)
      await vault.root('POST', 'auth/token/revoke-accessor', { accessor: token.accessor })
      expect(vault.database.login(...second.login)).toBe(true)
      now += 60
      expect(vault.database.login(...first.login)).toBe(false)
      expect(vault.database.login(...second.login)).toBe(false)
    })

    it('keeps a lease whose user it could not drop, and says so', async () => {
      const { lease, login } = await credentials()
      vault.database.failing = true
      const body = { lease_id: lease, sync: true }
      const failed = await ask(vault.rootToken, 'POST', 'sys/leases/revoke', body)
      expect(failed.status).toBe(400)
      const { data } = await vault.root('POST', 'sys/leases/lookup', { lease_id: lease })
      expect(data).not.toHaveProperty('revoke_error')
      expect(vault.database.users.has(login[0])).toBe(true)
    })

    it('renews to a shorter or longer life within the role’s maximum', async () => {
      const { lease, login } = await credentials()
      const renew = (increment: number) =>
        ask(vault.rootToken, 'POST', 'sys/leases/renew', { lease_id: lease, increment })
      expect((await renew(5)).body).toMatchObject({ lease_duration: 5 })
      expect((await renew(900)).body).toMatchObject({ lease_duration: 90 })
      await renew(5)
      now += 5_000
      expect(vault.database.login(...login)).toBe(false)
    })

    it('lists leases under a path, and revokes them all, for sudo only', async () => {
      await credentials()
      const path = 'sys/leases/lookup/database/creds/app/'
      const listed = await ask(vault.rootToken, 'GET', `${path}?list=1`)
      expect(listed.status).toBe(200)
      await vault.root('POST', 'sys/leases/revoke-prefix/database/creds/app', { sync: true })
      expect(vault.database.users.size).toBe(0)
      expect((await ask(vault.rootToken, 'GET', `${path}?list=1`)).status).toBe(404)
    })

    it('lets a user read only the tables its role granted, and nothing once it is gone', async () => {
      vault.database.tables.set('tickets', ['4711 the printer is on fire'])
      vault.database.tables.set('customers', ['Ada, 12 Card Street'])
      const statements = ['CREATE ROLE "{{name}}"', 'GRANT SELECT ON tickets TO "{{name}}"']
      const role = { db_name: 'main', creation_statements: statements }
      await vault.root('POST', 'database/roles/app', role)
      const { lease, login } = await credentials()
      expect(vault.database.select(...login, 'tickets')).toEqual(['4711 the printer is on fire'])
      expect(() => vault.database.select(...login, 'customers')).toThrow('permission denied')
      await vault.root('POST', 'sys/leases/revoke', { lease_id: lease, sync: true })
      expect(() => vault.database.select(...login, 'tickets')).toThrow('authentication failed')
    })

    async function credentials(token = vault.rootToken) {
      const { body } = await ask(token, 'GET', 'database/creds/app')
      const { lease_id, data } = body as { lease_id: string; data: Record<string, string> }
      const login: [string, string] = [data.username ?? '', data.password ?? '']
      return { lease: lease_id, login }
    }
  })

  describe('as clients see it', () => {
    it('is spoken to by node-vault unmodified', async () => {
      const client = nodeVault({
        endpoint: vault.address,
        token: vault.rootToken,
        noCustomHTTPVerbs: true,
      })
      await client.write('secret/data/a/b', { data: { colour: 'red' } })
      const { data } = await client.read('secret/data/a/b')
      expect(data.data).toEqual({ colour: 'red' })
      const listed = await client.list('secret/metadata/a')
      expect(listed.data.keys).toEqual(['b'])
      const health = await client.health()
      expect(health).toMatchObject({ initialized: true, sealed: false })
    })

    it('answers with its own clock', async () => {
      const response = await fetch(`${vault.address}/v1/sys/health`)
      expect(Date.parse(response.headers.get('date') ?? '')).toBe(Math.floor(now / 1_000) * 1_000)
    })

    it('refuses a request without a token, and a body that is not JSON', async () => {
      expect(await ask('', 'GET', 'kv/x')).toMatchObject({ status: 403 })
      const response = await fetch(`${vault.address}/v1/kv/x`, {
        method: 'POST',
        headers: { 'x-vault-token': vault.rootToken },
        body: '{',
      })
      expect(response.status).toBe(400)
    })

    it('fails when it is told to', async () => {
      vault.faults.plan('GET kv/x', { kind: 'fail', status: 503, code: 'sealed' }, 1)
      expect(await ask(vault.rootToken, 'GET', 'kv/x')).toEqual({
        status: 503,
        body: { errors: ['sealed'] },
      })
      expect(await ask(vault.rootToken, 'GET', 'kv/x')).toMatchObject({ status: 200 })
    })
  })

  async function child(body: unknown, parent = vault.rootToken) {
    const answer = await ask(parent, 'POST', 'auth/token/create', body)
    const { auth } = answer.body as { auth: { client_token: string; accessor: string } }
    return { id: auth.client_token, accessor: auth.accessor }
  }

  async function ask(token: string, method: string, path: string, body?: unknown) {
    const response = await fetch(`${vault.address}/v1/${path}`, {
      method,
      headers: { 'x-vault-token': token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const parsed: unknown = text === '' ? undefined : JSON.parse(text)
    return { status: response.status, body: parsed }
  }
})

function denied(...errors: string[]) {
  return { status: 403, body: { errors } }
}
