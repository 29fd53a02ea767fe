import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatDuration, parseDuration } from '../src/duration.ts'

it.each([
  ['90s', 90],
  ['15m', 900],
  ['1h30m', 5_400],
  ['2d', 172_800],
  ['1d2h3m4s', 93_784],
  ['0s', 0],
])('%s is %i seconds', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds)
})

it.each([
  [''],
  ['15'],
  ['m'],
  ['1.5h'],
  ['-1s'],
  ['1h 30m'],
  ['30m1h'],
  ['1w'],
  ['１s'],
  ['1s\n'],
  ['99999999999s'],
])('%j is no duration', (text) => {
  expect(parseDuration(text)).toBeUndefined()
})

it('what is written is read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 9_999 * 86_400 }), (seconds) => {
      expect(parseDuration(formatDuration(seconds))).toBe(seconds)
    }),
  )
})

it('only its own form is read', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const seconds = parseDuration(text)
      if (seconds !== undefined) expect(text).toMatch(/^(\d+[dhms])+$/)
    }),
  )
})
