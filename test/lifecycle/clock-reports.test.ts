import { expect, it } from 'vitest'
import { Scripted, station } from './fixture.ts'

const YEAR = 365 * 86_400_000

it('P5: an operator is told while the clock stands years ahead, and no more once it is right', async () => {
  const one = station({ upstream: new Scripted() })
  await one.start()
  one.time.stepWall(YEAR)
  await one.pass(6_000)
  const told = () => one.logged.filter(({ message }) => message.includes('leapt far ahead')).length
  expect(one.logged.at(-1)).toMatchObject({ level: 'error' })
  const before = told()
  expect(before).toBeGreaterThan(0)
  one.time.stepWall(-YEAR)
  await one.pass(20_000)
  expect(told()).toBe(before)
})

it('P5: an operator is told when the clock is behind what was recorded', async () => {
  const one = station({ upstream: new Scripted() })
  one.time.stepWall(-3_600_000)
  await one.start()
  expect(one.logged).toMatchObject([
    { level: 'warn', message: expect.stringContaining('behind a time that was recorded') },
  ])
})
