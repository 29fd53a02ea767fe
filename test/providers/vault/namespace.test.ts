import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type LeaseBench, startLeaseBench } from './lease-bench.ts'

describe('a vault namespace of mayfly’s own', () => {
  let bench: LeaseBench
  beforeEach(async () => {
    bench = await startLeaseBench({ namespace: 'agents' })
  })
  afterEach(() => bench.close())

  it('P6: login, policy, token, end and proof all happen in it, and its holder is told', async () => {
    const order = bench.order()
    const minted = await bench.mint(order)
    expect(minted.credential).toMatchObject({ namespace: 'agents' })
    expect(bench.vault.hasPolicy(order.upstreamName)).toBe(true)
    expect(await bench.end(order, minted)).toMatchObject({ ok: true, containment: 'proved' })
    expect(bench.leaseTokens()).toEqual([])
  })

  it('P6: a namespace that is gone is no proof of anything', async () => {
    const order = bench.order()
    const minted = await bench.mint(order)
    const gone = { kind: 'fail', status: 404, code: 'namespace not found' } as const
    for (const operation of EVERYTHING) bench.vault.faults.plan(operation, gone)
    expect(await bench.end(order, minted)).toMatchObject({ ok: false })
    const [seen] = (await bench.provider.prove?.([bench.endOf(order, minted)])) ?? []
    expect(seen?.proof).toBeUndefined()
    bench.vault.faults.clear()
    expect(await bench.end(order, minted)).toMatchObject({ ok: true, containment: 'proved' })
  })

  it('P3: another namespace is refused before anything is minted', async () => {
    const other = await startLeaseBench({ namespace: 'agents', settings: { namespace: 'others' } })
    await expect(other.mint(other.order())).rejects.toMatchObject({ outcome: 'refused' })
    expect(other.leaseTokens()).toEqual([])
    await other.close()
  })
})

const EVERYTHING = [
  'DELETE sys/policies/acl',
  'POST auth/token/revoke-accessor',
  'POST auth/token/lookup-accessor',
  'GET auth/token/lookup-self',
]
