import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { awsBench } from './bench.ts'

const _MINUTE = 60_000

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
