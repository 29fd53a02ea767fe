import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type LeaseBench, startLeaseBench } from './lease-bench.ts'
import { statusAs } from './upstream.ts'

const DATABASE = { kind: 'dynamic', engine: 'database', path: 'database/creds/readonly' }
const TICKET = 'secret/data/tickets/4711'
const TOKEN_ROLE = 'auth/token/roles/mayfly'

describe('minting at vault', () => {
  let bench: LeaseBench
  let now: number
  beforeEach(async () => {
    now = Date.now()
    bench = await startLeaseBench({ now: () => now })
  })
  afterEach(() => bench.close())

  it('P4: the token can neither renew, look at nor copy itself, nor reach the broker’s paths', async () => {
    const token = bench.tokenOf(await bench.mint(bench.order()))
    const post = (path: string, body: unknown = {}) =>
      statusAs(bench.vault, token, { method: 'POST', path, body })
    expect(await post('auth/token/renew-self')).toBe(403)
    expect(await post('auth/token/create', { policies: ['root'] })).toBe(403)
    expect(await post('auth/token/create/mayfly')).toBe(403)
    expect(await post('sys/policies/acl/mf-aaaaaaaaaaaaaaaaaaaa', { policy: '{}' })).toBe(403)
    expect(await statusAs(bench.vault, token, { path: 'auth/token/lookup-self' })).toBe(403)
    expect(await statusAs(bench.vault, token, { path: 'database/creds/readonly' })).toBe(403)
    expect(await statusAs(bench.vault, token, { method: 'POST', path: TICKET, body: {} })).toBe(403)
  })

  it('P5: the token dies by itself when its lease does', async () => {
    const order = bench.order()
    const minted = await bench.mint(order)
    now = minted.nativeExpiresAt - 1_000
    expect(await statusAs(bench.vault, bench.tokenOf(minted), { path: TICKET })).toBe(200)
    now = minted.nativeExpiresAt
    expect(await statusAs(bench.vault, bench.tokenOf(minted), { path: TICKET })).toBe(403)
    expect(minted.nativeExpiresAt).toBeLessThanOrEqual(order.notAfter)
  })

  it('P5: a database user ends with its lease although its vault role gives it an hour', async () => {
    const minted = await bench.mint(bench.order(DATABASE))
    now = minted.expiresAt - 1_000
    expect(bench.vault.database.login(...bench.loginOf(minted))).toBe(true)
    now = minted.expiresAt
    expect(bench.vault.database.login(...bench.loginOf(minted))).toBe(false)
  })

  it('P5: while vault cannot drop a database user, the database itself refuses it soon after', async () => {
    const minted = await bench.mint(bench.order(DATABASE))
    bench.vault.database.failing = true
    now = minted.nativeExpiresAt - 1
    expect(bench.vault.database.login(...bench.loginOf(minted))).toBe(true)
    now = minted.nativeExpiresAt
    expect(bench.vault.database.login(...bench.loginOf(minted))).toBe(false)
  })

  it('P5: a database user that cannot be shortened is not handed out', async () => {
    bench.vault.faults.plan('POST sys/leases/renew', { kind: 'fail', status: 400 })
    await expect(bench.mint(bench.order(DATABASE))).rejects.toMatchObject({ outcome: 'unknown' })
    bench.vault.faults.clear()
    const outcome = await bench.end(bench.order(DATABASE), null)
    expect(outcome).toMatchObject({ ok: true })
    expect(bench.vault.database.users.size).toBe(0)
  })

  it('P5: nothing is minted when less than a second is left', async () => {
    const order = { ...bench.order(), notAfter: now + 999 }
    await expect(bench.mint(order)).rejects.toMatchObject({ outcome: 'refused' })
    expect(bench.vault.hasPolicy(order.upstreamName)).toBe(false)
  })

  it('P5: renewing prolongs token and user together, up to the order and no further', async () => {
    const order = bench.order(DATABASE)
    const minted = await bench.mint(order)
    now += 30_000
    const later = { ...order, generation: 2, handle: minted.handle, notAfter: now + 60_000 }
    const renewed = await bench.provider.renew?.(later)
    expect(renewed?.expiresAt).toBe(later.notAfter)
    expect(renewed?.credential).toEqual({ type: 'vault', address: bench.vault.address })
    now = later.notAfter - 1
    expect(bench.vault.database.login(...bench.loginOf(minted))).toBe(true)
    now = later.notAfter
    expect(bench.vault.database.login(...bench.loginOf(minted))).toBe(false)
  })

  it('P5: no renewal passes max_lifetime, whatever is ordered', async () => {
    const short = await startLeaseBench({ now: () => now, settings: { max_lifetime: '90s' } })
    const order = short.order()
    const minted = await short.mint(order)
    now += 50_000
    const wanted = { ...order, handle: minted.handle, notAfter: now + 60_000 }
    const renewed = await short.provider.renew?.(wanted)
    expect(renewed?.expiresAt).toBe(now + 40_000)
    now += 40_000
    expect(await statusAs(short.vault, short.tokenOf(minted), { path: TICKET })).toBe(403)
    await expect(
      short.provider.renew?.({ ...wanted, notAfter: now + 60_000 }),
    ).rejects.toMatchObject({ outcome: 'refused' })
    await short.close()
  })

  it('P4: refuses a token role that makes batch tokens, which nobody could revoke', async () => {
    await bench.vault.root('POST', TOKEN_ROLE, { token_type: 'batch' })
    await expect(bench.mint(bench.order())).rejects.toMatchObject({
      outcome: 'unknown',
      message: expect.stringContaining('unusable'),
    })
  })

  it('P4: refuses a token that would be a child, or carry more policies', async () => {
    await bench.vault.root('POST', TOKEN_ROLE, { orphan: false })
    await expect(bench.mint(bench.order())).rejects.toThrow('not an orphan')
    await bench.end(bench.order(), null)
    expect(bench.leaseTokens()).toEqual([])
  })

  it('P4: no default policy comes along, also where the token role would add it', async () => {
    await bench.vault.root('POST', TOKEN_ROLE, { token_no_default_policy: false })
    const token = bench.tokenOf(await bench.mint(bench.order()))
    expect(await statusAs(bench.vault, token, { path: TICKET })).toBe(200)
    expect(await statusAs(bench.vault, token, { path: 'auth/token/lookup-self' })).toBe(403)
  })

  it('leaves nothing behind where vault refuses the token', async () => {
    await bench.vault.root('POST', TOKEN_ROLE, { allowed_policies_glob: ['other-*'] })
    await expect(bench.mint(bench.order())).rejects.toMatchObject({
      outcome: 'refused',
      message: expect.stringContaining('must be subset'),
    })
    expect(bench.vault.hasPolicy(bench.order().upstreamName)).toBe(false)
  })

  it('a task’s name and owner stand beside the token, for whoever reads vault’s audit log', async () => {
    const order = bench.order()
    const { handle } = await bench.mint(order)
    const accessor = Array.isArray(handle.accessors) ? handle.accessors[0] : undefined
    const { data } = await bench.vault.root('POST', 'auth/token/lookup-accessor', { accessor })
    expect(data?.meta).toEqual({
      'mayfly-lease': order.upstreamName,
      'mayfly-task': order.task,
      'mayfly-agent': 'bench-agent',
      'mayfly-tenant': 'bench-tenant',
      'mayfly-installation': 'bench',
    })
    expect(data?.policies).toEqual([order.upstreamName])
  })
})
