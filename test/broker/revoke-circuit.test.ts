import { expect, it } from 'vitest'
import { Health } from '../../src/broker/health.ts'
import { steadyClock } from '../../src/clock.ts'
import { ManualTime } from '../fixture/time.ts'

it('P17: mints again some time after the last failed end, when nothing is left that could fail', async () => {
  const time = new ManualTime()
  const health = new Health(steadyClock(time, 0))
  for (let n = 0; n < 5; n += 1) health.failed('aws', 'revoke')
  expect(health.notRevocable('aws')).toContain('fails at present')
  // What failed died by itself, so no end will ever succeed there: one must be able to try again.
  await time.advance(10 * 60_000)
  expect(health.notRevocable('aws')).toBeUndefined()
  health.failed('aws', 'revoke')
  expect(health.notRevocable('aws')).toContain('fails at present')
})

it('P17: stays closed to mints while ends still fail, however long', async () => {
  const time = new ManualTime()
  const health = new Health(steadyClock(time, 0))
  for (let n = 0; n < 60; n += 1) {
    health.failed('aws', 'revoke')
    await time.advance(60_000)
    if (n >= 5) expect(health.notRevocable('aws')).toBeDefined()
  }
})
