import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isId, newId, newToken, upstreamName } from '../src/ids.ts'

const random = (bytes: number) => randomBytes(bytes)
const fixed = (value: number) => (bytes: number) => new Uint8Array(bytes).fill(value)

it('an id carries its kind and 100 random bits', () => {
  expect(newId('lease', random)).toMatch(/^lease_[a-z2-7]{20}$/)
  expect(newId('lease', fixed(0))).toBe(`lease_${'a'.repeat(20)}`)
  expect(newId('task', fixed(255))).toBe(`task_${'7'.repeat(20)}`)
})

it('every character comes up equally often', () => {
  const seen = new Map<string, number>()
  for (let byte = 0; byte < 256; byte += 1) {
    const char = newId('sig', fixed(byte)).slice(-1)
    seen.set(char, (seen.get(char) ?? 0) + 1)
  }
  expect([...seen.values()]).toEqual(Array.from({ length: 32 }, () => 8))
})

it('is known by its kind, and nothing else is', () => {
  const id = newId('lease', random)
  expect(isId('lease', id)).toBe(true)
  expect(isId('task', id)).toBe(false)
  for (const bad of [
    '',
    'lease_',
    `${id}a`,
    id.slice(0, -1),
    id.toUpperCase(),
    ` ${id}`,
    `${id}\n`,
  ])
    expect(isId('lease', bad)).toBe(false)
})

it('never takes any other text for an id', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(isId('lease', text)).toBe(/^lease_[a-z2-7]{20}(?![\s\S])/.test(text))
    }),
  )
})

it('an upstream name is the same 20 characters', () => {
  expect(upstreamName('lease_abcdefghijklmnopqrst')).toBe('mf-abcdefghijklmnopqrst')
})

it('a token has 256 random bits behind a prefix that scanners can find', () => {
  expect(newToken('mft', random)).toMatch(/^mft_[A-Za-z0-9_-]{43}$/)
  expect(newToken('mfo', random)).toMatch(/^mfo_[A-Za-z0-9_-]{43}$/)
  expect(newToken('mft', random)).not.toBe(newToken('mft', random))
})
