import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { documentText } from '../../../providers/aws-sts/deny-documents.ts'
import { newId, upstreamName } from '../../../src/ids.ts'
import type { Provider } from '../../../src/provider.ts'
import { idSource } from '../../fixture/ids.ts'
import { writerOf } from '../../fixture/writer.ts'
import { awsBench, ROLE } from './bench.ts'

const MINUTE = 60_000

it('P6: a policy named almost like our document does not stand for it', async () => {
  await using bench = await awsBench()
  const order = bench.order()
  const before = bench.provider({ writer: writerOf({ process: 0 }) })
  const minted = await before.mint(order)
  await bench.end(before, [bench.endOf(order, minted)])
  await before.close()
  for (const name of ['mayfly-acme-00-e1', 'mayfly-acme-0-e01'])
    bench.sandbox.putRolePolicy(ROLE, name, documentText({ names: [] }))
  const after = bench.provider({ writer: writerOf({ process: 0 }) })
  await bench.end(after, [bench.endOf(bench.order())])
  expect(await bench.read(minted)).toBe('AccessDenied')
})

it('P6: a copy that somebody took out of our document has to settle again', async () => {
  await using bench = await awsBench()
  const [order, earlier] = [bench.order(), bench.provider({ epoch: 1 })]
  await bench.end(earlier, [bench.endOf(order, await earlier.mint(order))])
  const later = bench.provider({ epoch: 2 })
  await bench.end(later, [bench.endOf(bench.order())])
  bench.pass(MINUTE)
  await bench.end(later, [bench.endOf(bench.order())])
  expect(bench.documents()['mayfly-acme-0-e2']).toContain(order.upstreamName)
  bench.pass(6 * MINUTE)
  bench.sandbox.putRolePolicy(ROLE, 'mayfly-acme-0-e2', documentText({ names: [] }))
  await later.inventory?.()
  await bench.end(later, [bench.endOf(bench.order())])
  expect(bench.documents()['mayfly-acme-0-e1']).toEqual([order.upstreamName])
  bench.pass(6 * MINUTE)
  await bench.end(later, [bench.endOf(bench.order())])
  expect(bench.documents()['mayfly-acme-0-e1']).toBeUndefined()
})

it('P6: a clock that was behind when an entry was found does not drop it early', async () => {
  await using bench = await awsBench()
  const unknown = upstreamName(newId('lease', idSource))
  bench.sandbox.putRolePolicy(ROLE, 'mayfly-acme-0-e1', documentText({ names: [unknown] }))
  bench.ours = -60 * MINUTE
  const provider = bench.provider({ epoch: 2 })
  await bench.end(provider, [bench.endOf(bench.order())])
  bench.ours = 0
  bench.pass(10 * MINUTE)
  await bench.end(provider, [bench.endOf(bench.order())])
  expect(Object.values(bench.documents()).flat()).toContain(unknown)
})

it('P6: a write is never sent twice, for the first one could land after a newer one', async () => {
  await using bench = await awsBench()
  const provider = bench.provider()
  const [first, second] = [bench.order(), bench.order()]
  const minted = await provider.mint(second)
  bench.sandbox.faults.plan('PutRolePolicy', { kind: 'stray', ms: 700 }, 1)
  await bench.end(provider, [bench.endOf(first)]).catch(() => {})
  await bench.end(provider, [bench.endOf(second, minted)])
  await sleep(900)
  expect(await bench.read(minted)).toBe('AccessDenied')
})

it('P6: two providers of one process do not delete each other’s document of a role', async () => {
  await using bench = await awsBench()
  const writer = writerOf()
  const [one, other] = [bench.provider({ writer }), bench.provider({ writer })]
  const endOne = async (provider: Provider) => {
    const order = bench.order({ ttlSeconds: 3_600 })
    const minted = await provider.mint(order)
    await bench.end(provider, [bench.endOf(order, minted)])
    return minted
  }
  const ended = [await endOne(one), await endOne(other)]
  bench.pass(6 * MINUTE)
  ended.push(await endOne(one))
  bench.sandbox.faults.plan('DeleteRolePolicy', { kind: 'slow', ms: 300 })
  bench.pass(6 * MINUTE)
  const [first, second] = [endOne(one), sleep(150).then(() => endOne(other))]
  ended.push(await first, await second)
  await sleep(300)
  for (const minted of ended) expect(await bench.read(minted)).toBe('AccessDenied')
})

it('P8: what a replaced provider of this process wrote is taken over once it writes no more', async () => {
  await using bench = await awsBench()
  const writer = writerOf()
  const before = bench.provider({ writer })
  const order = bench.order({ ttlSeconds: 3_600 })
  const minted = await before.mint(order)
  bench.sandbox.faults.plan('PutRolePolicy', { kind: 'slow', ms: 200 }, 1)
  const ending = bench.end(before, [bench.endOf(order, minted)])
  await sleep(100)
  const by = { epoch: 1, shard: 0 }
  await before.close()
  expect(writer.isWritten(bench.roleArn, by)).toBe(true)
  await ending.catch(() => {})
  expect(writer.isWritten(bench.roleArn, by)).toBe(false)
  await sleep(200)
  const after = bench.provider({ writer })
  for (const minutes of [0, 6, 6]) {
    bench.pass(minutes * MINUTE)
    await bench.end(after, [bench.endOf(bench.order())], [bench.endOf(order, minted)])
  }
  expect(Object.keys(bench.documents())).toEqual(['mayfly-acme-1000-e1'])
  expect(await bench.read(minted)).toBe('AccessDenied')
})

it('P4: a planted statement about what is still to be issued is not carried on', async () => {
  await using bench = await awsBench()
  const tags = { tenant: 'support' }
  const denial = { tags, before: Date.parse('2100-01-01T00:00:00Z'), until: 0 }
  const planted = documentText({ names: [], tags: [denial] })
  bench.sandbox.putRolePolicy(ROLE, 'mayfly-acme-0-e1', planted)
  const provider = bench.provider({ epoch: 2 })
  await provider.mint(bench.order())
  for (const minutes of [2, 6]) {
    bench.pass(minutes * MINUTE)
    await bench.end(provider, [bench.endOf(bench.order())])
  }
  bench.sandbox.putRolePolicy(ROLE, 'mayfly-acme-0-e1', documentText({ names: [] }))
  bench.pass(6 * MINUTE)
  await bench.end(provider, [bench.endOf(bench.order())])
  const later = await provider.mint(bench.order())
  expect(await bench.read(later)).toBe('ok')
})
