import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { intentItemSchema, intentSchema } from '../../src/intent/item-schema.ts'
import { plainText } from '../../src/model/text.ts'

const item = { type: 'aws', actions: ['s3:GetObject'], locations: ['arn:aws:s3:::tickets/*'] }
const many = (n: number) => Array.from({ length: n }, (_, i) => `v${i}`)

describe('an intent from outside', () => {
  it('is taken as it is', () => {
    const whole = { ...item, identifier: 'tickets-read', constraints: { 's3:prefix': ['a/'] } }
    expect(intentSchema.parse([item, whole])).toEqual([item, whole])
  })

  it.each([
    ['an unknown field', { ...item, action: ['x'] }],
    ['a missing field', { type: 'aws', actions: ['x'] }],
    ['no action', { ...item, actions: [] }],
    ['too many actions', { ...item, actions: many(51) }],
    ['too many locations', { ...item, locations: many(51) }],
    ['a long text', { ...item, locations: ['x'.repeat(513)] }],
    ['an empty text', { ...item, actions: [''] }],
    ['a line break', { ...item, actions: ['a\nb'] }],
    ['a null character', { ...item, locations: ['a\u0000'] }],
    ['a right-to-left override', { ...item, locations: ['a\u202egpj'] }],
    ['a zero-width character', { ...item, identifier: 'a\u200bb' }],
    ['half a surrogate pair', { ...item, type: '\ud800' }],
    ['a number for text', { ...item, actions: [1] }],
    ['a constraint without values', { ...item, constraints: { a: [] } }],
    ['a hidden character in a constraint’s name', { ...item, constraints: { 'a\u2066': ['x'] } }],
    [
      'too many constraints',
      { ...item, constraints: Object.fromEntries(many(21).map((k) => [k, ['x']])) },
    ],
    ['null for absent', { ...item, constraints: null }],
  ])('P3: is refused for %s', (_, input) => {
    expect(intentItemSchema.safeParse(input).success).toBe(false)
  })

  it('P4: loses no constraint, whatever its name', () => {
    const input: unknown = JSON.parse(
      JSON.stringify(item).replace('}', ',"constraints":{"__proto__":["x"]}}'),
    )
    expect(intentItemSchema.safeParse(input).success).toBe(false)
  })

  it('has between one and twenty items, and no more pairs than can be weighed', () => {
    expect(intentSchema.safeParse([]).success).toBe(false)
    expect(intentSchema.safeParse(many(20).map(() => item)).success).toBe(true)
    expect(intentSchema.safeParse(many(21).map(() => item)).success).toBe(false)
    const wide = { ...item, actions: many(50), locations: many(50) }
    expect(intentSchema.safeParse([wide]).success).toBe(true)
    expect(intentSchema.safeParse([wide, item]).success).toBe(false)
  })

  it('is refused or taken, and never surprises', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.array(fc.jsonValue())), (input) => {
        expect(typeof intentSchema.safeParse(input).success).toBe('boolean')
      }),
    )
  })
})

describe('plain text', () => {
  it('says which hidden character is in the way', () => {
    const answer = plainText(200).safeParse('summarise \u202egpj')
    expect(answer.error?.issues.map(({ message }) => message)).toEqual(['must not contain U+202E'])
  })

  it('may be in any script', () => {
    for (const text of ['résumé', '要約', 'ملخص', '🎫 4711']) {
      expect(plainText(200).safeParse(text).success).toBe(true)
    }
  })
})
