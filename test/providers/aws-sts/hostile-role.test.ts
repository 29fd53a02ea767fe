import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { documentText } from '../../../providers/aws-sts/deny-documents.ts'
import { newId, upstreamName } from '../../../src/ids.ts'
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
