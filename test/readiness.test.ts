import { expect, it } from 'vitest'
import { readiness } from '../src/readiness.ts'
import type { Store } from '../src/store/store.ts'

it('P12: strangers who ask for readiness force at most one disk write a second', async () => {
  let writes = 0
  let tick = 0
  const store = {
    ready: async () => {
      writes += 1
    },
  } as unknown as Store // nothing else of it is asked
  const clock = {
    now: () => 0,
    earliest: () => 0,
    latest: () => 0,
    monotonic: () => tick,
    after: () => () => {},
  }
  const ready = readiness(store, clock)
  for (let n = 0; n < 1_000; n += 1) expect(await ready()).toEqual([])
  expect(writes).toBe(1)
  tick = 1_000
  await ready()
  expect(writes).toBe(2)
})
