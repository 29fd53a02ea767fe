import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  describeSelector,
  isNarrow,
  matches,
  SELECTOR_FIELDS,
  selectorSchema,
} from '../../src/model/selector.ts'

const lease = {
  lease: 'lease_1',
  task: 'task_1',
  ancestors: ['task_parent', 'task_root'],
  agent: 'a',
  workload: 'corp/robot',
  tenant: 'support',
  entitlement: 'tickets-read',
  provider: 'aws',
  target: 'arn:aws:iam::111122223333:role/tickets',
  issuer: 'corp',
  policy_hash: 'abc',
}

describe('a selector', () => {
  it('matches by any field, and by several only together', () => {
    for (const field of SELECTOR_FIELDS) {
      expect(matches({ [field]: lease[field] }, lease)).toBe(true)
      expect(matches({ [field]: 'else' }, lease)).toBe(false)
    }
    expect(matches({ agent: 'a', tenant: 'support' }, lease)).toBe(true)
    expect(matches({ agent: 'a', tenant: 'billing' }, lease)).toBe(false)
  })

  it('of a task matches its whole tree', () => {
    expect(matches({ task: 'task_root' }, lease)).toBe(true)
    expect(matches({ task: 'task_root', agent: 'b' }, lease)).toBe(false)
    expect(matches({ agent: 'task_root' }, lease)).toBe(false)
  })

  it('never matches by a field the subject does not have', () => {
    expect(matches({ entitlement: 'tickets-read' }, { agent: 'a' })).toBe(false)
    expect(matches({ agent: 'a', entitlement: 'tickets-read' }, { agent: 'a' })).toBe(false)
  })

  it('that is all matches everything, and one that names nothing matches nothing', () => {
    expect(matches({ all: true }, {})).toBe(true)
    expect(matches({}, lease)).toBe(false)
  })

  it('only ever matches less with one field more', () => {
    const fields = fc.record(
      { agent: fc.constantFrom('a', 'b'), tenant: fc.constantFrom('support', 'billing') },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fields, fc.constantFrom('corp', 'else'), (selector, issuer) => {
        if (matches({ ...selector, issuer }, lease)) {
          expect(Object.keys(selector).length === 0 || matches(selector, lease)).toBe(true)
        }
      }),
    )
  })

  it('is narrow when nothing is left to block: a lease, or a task as a whole', () => {
    expect(isNarrow({ lease: 'lease_1' })).toBe(true)
    expect(isNarrow({ task: 'task_1' })).toBe(true)
    expect(isNarrow({ task: 'task_1', tenant: 'support' })).toBe(true)
    expect(isNarrow({ lease: 'lease_1', entitlement: 'e' })).toBe(true)
    expect(isNarrow({ task: 'task_1', entitlement: 'e' })).toBe(false)
    expect(isNarrow({ agent: 'a' })).toBe(false)
    expect(isNarrow({ all: true })).toBe(false)
  })

  it('can be read', () => {
    expect(describeSelector({ tenant: 'support', agent: 'a' })).toBe('agent=a tenant=support')
    expect(describeSelector({ all: true })).toBe('everything')
  })
})

describe('a selector from outside', () => {
  it.each([[{ all: true }], [{ agent: 'a' }], [{ task: 'task_1', policy_hash: 'x' }]])(
    '%j is taken as it is',
    (input) => {
      expect(selectorSchema.parse(input)).toEqual(input)
    },
  )

  it.each([
    [{}],
    [{ all: false }],
    [{ all: true, agent: 'a' }],
    [{ agents: 'a' }],
    [{ agent: '' }],
    [{ agent: ['a'] }],
    [{ agent: null }],
    [{ agent: 'a\u202e' }],
    ['all'],
    [null],
    [[]],
  ])('P3: %j is refused', (input) => {
    expect(selectorSchema.safeParse(input).success).toBe(false)
  })
})
