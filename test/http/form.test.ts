import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MayflyError } from '../../src/errors.ts'
import { parseForm } from '../../src/http/form.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('a form of OAuth', () => {
  it('is read as the URL standard writes it', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ minLength: 1, unit: 'grapheme' }),
          fc.string({ minLength: 1, unit: 'grapheme' }),
          { maxKeys: 20 },
        ),
        (values) => {
          const form = parseForm(bytes(new URLSearchParams(values).toString()))
          for (const [name, value] of Object.entries(values)) expect(form.one(name)).toBe(value)
        },
      ),
    )
  })

  it('P3: is a form or refused, whatever is sent', () => {
    const piece = fc.constantFrom(
      'token',
      '=',
      '&',
      '%',
      '%zz',
      '%ff',
      '%C3%A4',
      '+',
      'a',
      '\u0000',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.array(piece, { maxLength: 40 }).map((pieces) => bytes(pieces.join(''))),
        ),
        (body) => {
          try {
            const value = parseForm(body).one('token')
            expect(value === undefined || value !== '').toBe(true)
          } catch (error) {
            expect(error).toBeInstanceOf(MayflyError)
            expect(error).toHaveProperty('code', 'invalid_request')
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['a parameter twice', 'token=a&token=b'],
    ['the same one twice in other letters', 'token=a&%74oken=b'],
    ['one without a value beside one with', 'token=&token=b'],
    ['a stray percent sign', 'token=%zz'],
    ['what is no UTF-8', 'token=%ff'],
    ['an overlong escape', 'token=%c0%af'],
    ['half of a surrogate pair', 'token=%ed%a0%80'],
    ['more parameters than anybody has', Array.from({ length: 65 }, (_, n) => `p${n}=1`).join('&')],
  ])('refuses %s', (_, body) => {
    expect(() => parseForm(bytes(body))).toThrow(MayflyError)
  })

  it('what has no value is absent, what nobody asks for ignored, audiences may be several', () => {
    const form = parseForm(bytes('token=&surprise=1&audience=a&audience=b&resource=c&__proto__=x'))
    expect(form.one('token')).toBeUndefined()
    expect(() => form.required('token')).toThrow('must have "token"')
    expect(form.all('audience')).toEqual(['a', 'b'])
    expect(form.one('toString')).toBeUndefined()
  })
})
