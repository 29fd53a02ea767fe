import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Minted } from '../../../src/provider.ts'
import { type LeaseBench, startLeaseBench } from './lease-bench.ts'
import { REVOKE_POLICY, statusAs } from './upstream.ts'

const DATABASE = { kind: 'dynamic', engine: 'database', path: 'database/creds/readonly' }

describe('ending a lease at vault', () => {
  let bench: LeaseBench
  beforeEach(async () => {
    bench = await startLeaseBench()
  })
  afterEach(() => bench.close())

  it('P6: proves the end of a token by having seen it forgotten', async () => {
    const minted = await bench.mint(bench.order())
    const outcome = await bench.end(bench.order(), minted)
    expect(outcome).toMatchObject({ ok: true, containment: 'proved', proof: { method: 'lookup' } })
    expect(bench.vault.hasPolicy(bench.order().upstreamName)).toBe(false)
    expect(await statusAs(bench.vault, bench.tokenOf(minted), { path: TICKET })).toBe(403)
  })

  it('P6: removes a database user before it says so, without waiting for vault’s queue', async () => {
    const order = bench.order(DATABASE)
    const minted = await bench.mint(order)
    const login = bench.loginOf(minted)
    expect(bench.vault.database.login(...login)).toBe(true)
    expect(await bench.end(order, minted)).toMatchObject({ ok: true, containment: 'proved' })
    expect(bench.vault.database.users.size).toBe(0)
    expect(bench.vault.database.login(...login)).toBe(false)
  })

  it('P6: claims nothing of a token that another vault made', async () => {
    const other = await startLeaseBench()
    try {
      const order = other.order()
      const minted = await other.mint(order)
      const outcome = await bench.end(order, minted)
      expect(outcome).toMatchObject({ ok: false, error: expect.stringContaining('was made at') })
      expect(await statusAs(other.vault, other.tokenOf(minted), { path: TICKET })).toBe(200)
    } finally {
      await other.close()
    }
  })

  it('P6: says that the database refused to drop a user, and succeeds once it can', async () => {
    const order = bench.order(DATABASE)
    const minted = await bench.mint(order)
    bench.vault.database.failing = true
    const failed = await bench.end(order, minted)
    expect(failed).toMatchObject({ ok: false, error: expect.stringContaining('sys/leases/revoke') })
    // P2: vault quotes the database here, which may quote anything.
    expect(JSON.stringify(failed)).not.toContain('connection refused')
    expect(bench.vault.database.users.size).toBe(1)
    bench.vault.database.failing = false
    expect(await bench.end(order, minted)).toMatchObject({ ok: true, containment: 'proved' })
    expect(bench.vault.database.users.size).toBe(0)
  })

  it('P6: a token without its policy can do nothing, even while the token itself survives', async () => {
    const minted = await bench.mint(bench.order())
    bench.vault.faults.plan('POST auth/token/revoke-accessor', { kind: 'fail', status: 500 })
    expect(await bench.end(bench.order(), minted)).toMatchObject({ ok: false })
    expect(await statusAs(bench.vault, bench.tokenOf(minted), { path: TICKET })).toBe(403)
  })

  it('P6: ends the rest even where one step fails', async () => {
    const order = bench.order(DATABASE)
    const minted = await bench.mint(order)
    bench.vault.faults.plan('DELETE sys/policies/acl', { kind: 'fail', status: 500 })
    expect(await bench.end(order, minted)).toMatchObject({ ok: false })
    expect(bench.vault.database.users.size).toBe(0)
    expect(bench.leaseTokens()).toEqual([])
  })

  it('P6: says the token still lives where vault only pretended to revoke it', async () => {
    const minted = await bench.mint(bench.order())
    bench.vault.faults.plan('POST auth/token/revoke-accessor', { kind: 'lie' })
    expect(await bench.end(bench.order(), minted)).toMatchObject({
      ok: false,
      error: expect.stringContaining('still knows'),
    })
  })

  it('P6: a refused lookup proves nothing', async () => {
    const minted = await bench.mint(bench.order())
    const refusal = { kind: 'fail', status: 403, code: 'permission denied' } as const
    bench.vault.faults.plan('POST auth/token/lookup-accessor', refusal)
    const outcome = await bench.end(bench.order(), minted)
    expect(outcome).toMatchObject({ ok: true, containment: 'enforced' })
    bench.vault.faults.clear()
    const [proof] = (await bench.provider.prove?.([bench.endOf(bench.order(), minted)])) ?? []
    expect(proof?.proof).toMatchObject({ method: 'lookup' })
  })

  it('P13: a look that fails hides nothing of what the others saw', async () => {
    const orders = [bench.order(), bench.order()]
    const ended = await Promise.all(
      orders.map(async (order) => {
        const minted = await bench.mint(order)
        await bench.end(order, minted)
        return bench.endOf(order, minted)
      }),
    )
    bench.vault.faults.plan('POST auth/token/lookup-accessor', { kind: 'lose' }, 1)
    const [first, second] = (await bench.provider.prove?.(ended)) ?? []
    expect(first).toEqual({ lease: orders[0]?.lease })
    expect(second).toMatchObject({ proof: { method: 'lookup' } })
  })

  it('P6: ends by name what nobody has a handle for, and does not call that proved', async () => {
    const order = bench.order()
    const minted = await bench.mint(order)
    const outcome = await bench.end(order, null)
    expect(outcome).toMatchObject({ ok: true, containment: 'enforced' })
    expect(bench.leaseTokens()).toEqual([])
    expect(await statusAs(bench.vault, bench.tokenOf(minted), { path: TICKET })).toBe(403)
  })

  it('P6: a database user nobody has a handle for counts as exposed until its last possible end', async () => {
    const order = bench.order(DATABASE)
    const minted = await bench.mint(order)
    const outcome = await bench.end(order, null)
    const { latestPossibleExpiry } = bench.endOf(order, null)
    expect(outcome).toMatchObject({ containment: 'enforced', exposedUntil: latestPossibleExpiry })
    await bench.vault.settle()
    expect(bench.vault.database.login(...bench.loginOf(minted))).toBe(false)
  })

  it('P6: ends many leases at once and leaves the others alone', async () => {
    const orders = Array.from({ length: 20 }, () => bench.freshOrder())
    const minted = await Promise.all(orders.map((order) => bench.mint(order)))
    const survivor = bench.freshOrder()
    const alive = await bench.mint(survivor)
    const outcomes = await bench.provider.revoke?.({
      group: null,
      orders: orders.map((order, i) => bench.endOf(order, minted[i] ?? null)),
      stillRefused: [],
      signal: AbortSignal.timeout(5_000),
    })
    expect(outcomes?.filter((outcome) => outcome.ok)).toHaveLength(20)
    expect(new Set(outcomes?.map((outcome) => outcome.lease)).size).toBe(20)
    expect(await statusAs(bench.vault, bench.tokenOf(alive), { path: TICKET })).toBe(200)
  })

  it('P6: ends by name what a mint left half done, also where tokens cannot be listed', async () => {
    await bench.vault.root('POST', 'sys/policies/acl/mayfly-revoke', {
      policy: REVOKE_POLICY.replace(/.*accessors\/.*/, ''),
    })
    const order = bench.order(DATABASE)
    bench.vault.faults.plan('GET database/creds', { kind: 'lose' }, 1)
    await expect(bench.mint(order)).rejects.toMatchObject({ outcome: 'unknown' })
    expect(bench.vault.database.users.size).toBe(1)
    expect(await bench.end(order, null)).toMatchObject({ ok: true, containment: 'enforced' })
    expect(bench.leaseTokens()).toEqual([])
    await bench.vault.settle()
    expect(bench.vault.database.users.size).toBe(0)
  })

  it('P6: where tokens cannot be listed, a lost token is at least powerless', async () => {
    await bench.vault.root('POST', 'sys/policies/acl/mayfly-revoke', {
      policy: REVOKE_POLICY.replace(/.*accessors\/.*/, ''),
    })
    const minted = await bench.mint(bench.order())
    const before = Date.now()
    const outcome = await bench.end(bench.order(), null)
    expect(outcome).toMatchObject({ ok: true, containment: 'enforced' })
    if (outcome?.ok) expect(outcome.exposedUntil).toBeLessThan(before + 2_000)
    expect(bench.leaseTokens()).toHaveLength(1)
    expect(bench.vault.ledger.working().filter((record) => record.name !== undefined)).toEqual([])
    expect(await statusAs(bench.vault, bench.tokenOf(minted), { path: TICKET })).toBe(403)
  })

  it('P6: ends every generation of a lease', async () => {
    const order = bench.order()
    const first = await bench.mint(order)
    const second = await bench.mint({ ...order, generation: 2, handle: first.handle })
    expect(await bench.end(order, second)).toMatchObject({ ok: true, containment: 'proved' })
    expect(bench.leaseTokens()).toEqual([])
    await expectDead(bench, first)
    await expectDead(bench, second)
  })
})

const TICKET = 'secret/data/tickets/4711'

async function expectDead(bench: LeaseBench, minted: Minted): Promise<void> {
  expect(await statusAs(bench.vault, bench.tokenOf(minted), { path: TICKET })).toBe(403)
}
