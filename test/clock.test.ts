import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type ClockSource, HeardClock, steadyClock } from '../src/clock.ts'

/** A source whose wall and tick move apart as a test says. */
function source(start = 1_000_000) {
  const at = { wall: start, tick: 0.5 }
  const clockSource: ClockSource = {
    wall: () => at.wall,
    monotonic: () => at.tick,
    after: () => () => {},
  }
  return {
    clockSource,
    pass(ms: number) {
      at.wall += ms
      at.tick += ms
    },
    step(ms: number) {
      at.wall += ms
    },
    tick: () => at.tick,
    wall: () => at.wall,
  }
}

it('follows the wall clock while nothing steps', () => {
  const world = source()
  const clock = steadyClock(world.clockSource, 0)
  world.pass(1_234)
  expect(clock.now()).toBe(1_001_234)
  expect(clock.earliest()).toBe(1_001_234)
})

it('P5: a wall clock set back while up neither stops nor turns time', () => {
  const world = source()
  const clock = steadyClock(world.clockSource, 0)
  world.step(-3_600_000)
  expect(clock.now()).toBe(1_000_000)
  world.pass(5_000)
  expect(clock.now()).toBe(1_005_000)
  expect(clock.earliest()).toBe(world.wall())
})

it('P5: time passes at full speed behind a set-back clock however often it is asked', () => {
  const world = source()
  const clock = steadyClock(world.clockSource, 0)
  world.step(-3_600_000)
  for (let n = 0; n < 10_000; n += 1) {
    world.pass(0.3)
    clock.now()
  }
  expect(clock.now()).toBeGreaterThanOrEqual(1_002_999)
})

it('P5: a wall clock set forward is believed at once, and not unbelieved when it is set back', () => {
  const world = source()
  const clock = steadyClock(world.clockSource, 0)
  world.step(60_000)
  expect(clock.now()).toBe(1_060_000)
  world.step(-60_000)
  expect(clock.now()).toBe(1_060_000)
  expect(clock.earliest()).toBe(1_000_000)
})

it('P5: never starts below what the store has known', () => {
  const world = source()
  const clock = steadyClock(world.clockSource, 5_000_000)
  expect(clock.now()).toBe(5_000_000)
  world.pass(700)
  expect(clock.now()).toBe(5_000_700)
  expect(clock.earliest()).toBe(1_000_700)
})

const DAY = 86_400_000

it('P6: a step forward is no time that has surely passed, however often it happens', () => {
  const world = source()
  const clock = steadyClock(world.clockSource, 0)
  for (let n = 0; n < 50; n += 1) {
    world.step(900)
    world.pass(100)
  }
  expect(clock.now()).toBe(1_050_000)
  expect(clock.unstepped()).toBe(1_005_000)
  world.step(-45_000)
  world.pass(1_000)
  expect([clock.earliest(), clock.unstepped()]).toEqual([1_006_000, 1_006_000])
})

it('P6: after a step back, a step forward again is not believed either', () => {
  const world = source()
  const clock = steadyClock(world.clockSource, 0)
  world.step(-60_000)
  expect(clock.unstepped()).toBe(940_000)
  world.step(60_000)
  world.pass(1_000)
  expect(clock.unstepped()).toBe(941_000)
})

it('a machine that slept is believed by itself, after a day or two', () => {
  const world = source()
  const clock = steadyClock(world.clockSource, 0)
  world.pass(1_000)
  clock.now()
  world.step(3_600_000)
  for (let hour = 0; hour < 25; hour += 1) {
    world.pass(3_600_000)
    expect(clock.unstepped()).toBe(world.wall() - 3_600_000)
  }
  for (let hour = 0; hour < 25; hour += 1) {
    world.pass(3_600_000)
    clock.now()
  }
  expect(clock.unstepped()).toBe(world.wall())
})

it('P6: a clock that nobody confirmed is believed once it has stood for a day', () => {
  const world = source()
  const clock = steadyClock(world.clockSource, 0)
  world.pass(DAY - 1)
  clock.now()
  expect(clock.settled()).toBe(Number.NEGATIVE_INFINITY)
  world.pass(1)
  clock.now()
  expect(clock.settled()).toBe(world.wall())
})

it('a clock that was heard goes on by the tick, and what is no time is not heard', () => {
  const world = source()
  const heard = new HeardClock(steadyClock(world.clockSource, 0))
  heard.hear(Number.NaN)
  expect(heard.now()).toBeUndefined()
  heard.hear(5_000)
  world.step(70_000)
  world.pass(300)
  expect(heard.now()).toBe(5_300)
})

it('P5: a leap of years is not believed unasked: it ends things, but nothing bears its time', () => {
  const world = source()
  const clock = steadyClock(world.clockSource, 0)
  world.step(365 * DAY)
  expect([clock.now(), clock.earliest()]).toEqual([1_000_000, 1_000_000])
  expect(clock.latest()).toBe(world.wall())
  world.pass(5_000)
  expect(clock.now()).toBe(1_005_000)
  world.step(-365 * DAY)
  world.pass(1_000)
  expect([clock.now(), clock.latest()]).toEqual([1_006_000, 1_006_000])
})

it('believes a machine that slept for a week', () => {
  const world = source()
  const clock = steadyClock(world.clockSource, 0)
  world.step(7 * DAY)
  expect([clock.now(), clock.latest()]).toEqual([world.wall(), world.wall()])
})

it('P5: under any steps, now is whole, never turns back, and never passes slower than the tick', () => {
  const moves = fc.array(
    fc.oneof(
      fc.record({ pass: fc.double({ min: 0, max: 5_000, noNaN: true }) }),
      fc.record({ step: fc.integer({ min: -10_000_000, max: 10_000_000 }) }),
    ),
    { maxLength: 200 },
  )
  fc.assert(
    fc.property(moves, fc.integer({ min: 0, max: 20_000_000 }), (script, highWater) => {
      const world = source(10_000_000)
      const clock = steadyClock(world.clockSource, highWater)
      const began = { now: clock.now(), tick: world.tick() }
      let before = began.now
      for (const move of script) {
        if ('pass' in move) world.pass(move.pass)
        else world.step(move.step)
        const now = clock.now()
        expect(Number.isInteger(now)).toBe(true)
        expect(now).toBeGreaterThanOrEqual(before)
        expect(now).toBeGreaterThan(began.now + (world.tick() - began.tick) - 1.001)
        expect(now).toBeGreaterThanOrEqual(Math.floor(world.wall()))
        expect(clock.earliest()).toBe(Math.min(now, Math.floor(world.wall())))
        before = now
      }
    }),
  )
})
