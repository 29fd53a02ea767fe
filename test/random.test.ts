import { expect, it } from 'vitest'
import { pooled } from '../src/random.ts'

/** Counts upwards through all it was ever asked for, modulo a prime that no buffer is long. */
function counting(asked: number[] = []) {
  let next = 0
  return (bytes: number) => {
    asked.push(bytes)
    return Uint8Array.from({ length: bytes }, () => next++ % 251)
  }
}

it('gives out each byte of its source at most once, in any portions', () => {
  const random = pooled(counting())
  const seen: number[] = []
  for (const bytes of [20, 15, 32, 4_096, 1, 0, 5_000, 15]) seen.push(...random(bytes))
  let last = -1
  let laps = 0
  for (const byte of seen) {
    if (byte <= last) laps += 1
    last = byte
  }
  // A byte given twice would turn the count back more often than it comes round.
  expect(laps).toBeLessThanOrEqual(Math.ceil((4_096 * 3 + 5_000) / 251))
  expect(seen.slice(0, 67)).toEqual(Array.from({ length: 67 }, (_, n) => n))
})

it('asks its source seldom, and directly for what is larger than the pool', () => {
  const asked: number[] = []
  const random = pooled(counting(asked))
  for (let n = 0; n < 200; n += 1) expect(random(20)).toHaveLength(20)
  expect(random(10_000)).toHaveLength(10_000)
  expect(asked).toEqual([4_096, 10_000])
})

it('what it gave out is no longer in the pool', () => {
  const source = new Uint8Array(4_096).fill(7)
  const given = pooled(() => source)(32)
  expect(given).toEqual(new Uint8Array(32).fill(7))
  expect(given.buffer.byteLength).toBe(32)
})
