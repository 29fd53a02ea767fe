import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { canonicalJson, GENESIS, hashCanonical, hashEvent } from '../../src/audit/chain.ts'

const text = fc.string({ unit: 'binary' })
const event = fc.record(
  {
    seq: fc.nat(),
    at: text,
    type: text,
    actor: text,
    tenant: text,
    task: text,
    lease: text,
    data: fc.dictionary(text, fc.jsonValue()),
  },
  { requiredKeys: ['seq', 'at', 'type', 'actor', 'data'] },
)

it('P12: a link is SHA-256 over the previous one and the event in RFC 8785 canonical JSON', () => {
  fc.assert(
    fc.property(event, (one) => {
      const expected = createHash('sha256')
        .update(`${GENESIS}\n${canonicalize(one)}`)
        .digest('hex')
      expect(hashEvent(GENESIS, one)).toBe(expected)
      expect(hashCanonical(GENESIS, one, canonicalJson(one.data))).toBe(expected)
    }),
  )
})

it('P12: an event hashes the same after it was written out and read back', () => {
  fc.assert(
    fc.property(event, (one) => {
      expect(hashEvent(GENESIS, JSON.parse(JSON.stringify(one)))).toBe(hashEvent(GENESIS, one))
    }),
  )
})

it('P12: the first link of a chain never changes', () => {
  const one = {
    seq: 1,
    at: '2027-01-15T12:00:00.000Z',
    type: 't',
    actor: 'mayfly',
    data: { b: 1, a: 2 },
  }
  const canonical =
    '{"actor":"mayfly","at":"2027-01-15T12:00:00.000Z","data":{"a":2,"b":1},"seq":1,"type":"t"}'
  const link = createHash('sha256')
    .update(`${'0'.repeat(64)}\n${canonical}`)
    .digest('hex')
  expect(hashEvent(GENESIS, one)).toBe(link)
})

it('what JSON cannot say has no canonical form', () => {
  for (const value of [undefined, Number.NaN, Number.POSITIVE_INFINITY, 1n]) {
    expect(() => canonicalJson({ deep: [value] }) && canonicalJson(value)).toThrow()
  }
})
