import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isId, newId, newTaskToken, newToken, taskOfToken, upstreamName } from '../src/ids.ts'
import { idSource } from './fixture/ids.ts'

const random = (bytes: number) => randomBytes(bytes)
const fixed = (value: number, now = 0) => ({
  random: (bytes: number) => new Uint8Array(bytes).fill(value),
  clock: { now: () => now },
})

it('an id carries its kind, the instant in 25 bits and 75 random bits', () => {
  expect(newId('lease', idSource)).toMatch(/^lease_[a-z2-7]{20}$/)
  expect(newId('lease', fixed(0))).toBe(`lease_${'2'.repeat(20)}`)
  expect(newId('task', fixed(255))).toBe(`task_22222${'z'.repeat(15)}`)
})

it('ids made later sort later, and those of one instant stand together', () => {
  const start = Date.parse('2026-01-01T00:00:00Z')
  const instants = Array.from({ length: 100 }, (_, n) => start + n * 62.5)
  const ids = instants.map((now, n) => newId('lease', fixed(n % 2 === 0 ? 255 : 0, now)))
  expect(ids).toEqual(ids.toSorted())
  const twins = [0, 255].map((value) => newId('lease', fixed(value, start)).slice(0, 11))
  expect(twins[0]).toBe(twins[1])
})

it('the instant comes round and stays an id', () => {
  for (const now of [0, 2 ** 25 * 62.5 - 1, 2 ** 25 * 62.5, 8.64e15]) {
    expect(isId('lease', newId('lease', fixed(7, now)))).toBe(true)
  }
})

it('every random character comes up equally often', () => {
  const seen = new Map<string, number>()
  for (let byte = 0; byte < 256; byte += 1) {
    const char = newId('sig', fixed(byte)).slice(-1)
    seen.set(char, (seen.get(char) ?? 0) + 1)
  }
  expect([...seen.values()]).toEqual(Array.from({ length: 32 }, () => 8))
})

it('is known by its kind, and nothing else is', () => {
  const id = newId('lease', idSource)
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
  expect(newToken('mfo', random)).toMatch(/^mfo_[A-Za-z0-9_-]{43}$/)
  expect(newToken('mfo', random)).not.toBe(newToken('mfo', random))
})

it('a task token names its task, and has 256 random bits besides', () => {
  const task = 'task_abcdefghijklmnopqrst'
  const token = newTaskToken(task, random)
  expect(token).toMatch(/^mft_abcdefghijklmnopqrst[A-Za-z0-9_-]{43}$/)
  expect(newTaskToken(task, random)).not.toBe(token)
  expect(taskOfToken(token)).toBe(task)
  for (const other of [`${token}A`, token.slice(1), token.replace('mft', 'mfo'), 'mft_', '']) {
    expect(taskOfToken(other)).toBeUndefined()
  }
})
