import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { coversIntent } from '../../src/intent/covers.ts'
import type { IntentItem } from '../../src/model/intent.ts'
import { STAR, starMatches } from './star-vocabulary.ts'

const ceiling: IntentItem[] = [
  { type: 'star', actions: ['get', 'list*'], locations: ['tickets/*'] },
  { type: 'star', actions: ['put'], locations: ['drafts/a'], constraints: { tag: ['x', 'y'] } },
]
const ask = (...request: IntentItem[]) =>
  coversIntent({ ceiling, request, vocabulary: STAR })?.refused
const item = (overlay: Partial<IntentItem> = {}): IntentItem => ({
  type: 'star',
  actions: ['get'],
  locations: ['tickets/4711'],
  ...overlay,
})

describe('P4: an intent', () => {
  it('is covered when every item is within one item of the ceiling', () => {
    expect(ask(item())).toBeUndefined()
    expect(ask(item({ actions: ['get', 'listAll'], locations: ['tickets/1', 'tickets/2*'] }))).toBe(
      undefined,
    )
    expect(ask(item(), item({ locations: ['tickets/*'] }))).toBeUndefined()
    const put = item({ actions: ['put'], locations: ['drafts/a'], constraints: { tag: ['x'] } })
    expect(ask(put)).toBeUndefined()
  })

  it.each([
    ['an action', [item({ actions: ['get', 'put'] })], 'intent[0].actions[1] "put" exceeds'],
    ['a wider action', [item({ actions: ['l*'] })], 'intent[0].actions[0] "l*" exceeds'],
    [
      'a location',
      [item(), item({ locations: ['tickets/1', 'users/1'] })],
      'intent[1].locations[1] "users/1" exceeds',
    ],
    ['a wider location', [item({ locations: ['t*'] })], 'intent[0].locations[0] "t*" exceeds'],
    ['a type', [item({ type: 'aws' })], 'intent[0].type "aws" is not "star" here'],
    ['bad grammar', [item({ locations: ['a*b'] })], 'intent[0]: "a*b" has a *'],
    ['no action', [item({ actions: [] })], 'intent[0].actions must not be empty'],
    ['no location', [item({ locations: [] })], 'intent[0].locations must not be empty'],
    ['no item', [], 'intent must have at least one item'],
    [
      'a missing constraint',
      [item({ actions: ['put'], locations: ['drafts/a'] })],
      'intent[0].constraints are wider',
    ],
    [
      'a constraint value',
      [item({ actions: ['put'], locations: ['drafts/a'], constraints: { tag: ['x', 'z'] } })],
      'intent[0].constraints are wider',
    ],
  ])('is refused for %s, naming it', (_, request, message) => {
    expect(ask(...request)).toContain(message)
  })

  it('is not covered by two items of the ceiling together', () => {
    const both = item({ actions: ['get', 'put'], locations: ['tickets/1'] })
    const split: IntentItem[] = [
      item({ actions: ['get'], locations: ['tickets/*'] }),
      item({ actions: ['put'], locations: ['tickets/*'] }),
    ]
    expect(coversIntent({ ceiling: split, request: [both], vocabulary: STAR })).toBeDefined()
    const apart = [item({ actions: ['get'] }), item({ actions: ['put'] })]
    expect(coversIntent({ ceiling: split, request: apart, vocabulary: STAR })).toBeUndefined()
  })

  it('must be for the entitlement the ceiling item names, where it names one', () => {
    const named = [item({ identifier: 'tickets-read' })]
    const under = (identifier?: string) =>
      coversIntent({
        ceiling: named,
        request: [identifier === undefined ? item() : item({ identifier })],
        vocabulary: STAR,
      })
    expect(under('tickets-read')).toBeUndefined()
    expect(under('other')?.refused).toBe('intent[0].identifier "other" is not in the ceiling')
    expect(under()).toBeDefined()
  })

  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 3 })
  const pattern = fc.tuple(text, fc.constantFrom('', '*')).map((parts) => parts.join(''))
  const patterns = fc.array(pattern, { minLength: 1, maxLength: 3 })
  const items = fc.array(
    fc.record({ type: fc.constant('star'), actions: patterns, locations: patterns }),
    { minLength: 1, maxLength: 3 },
  )

  it('that is covered can do nothing the ceiling cannot', () => {
    let covered = 0
    fc.assert(
      fc.property(items, items, text, text, (above, request, action, location) => {
        if (coversIntent({ ceiling: above, request, vocabulary: STAR })) return
        covered += 1
        if (allows(request, action, location)) expect(allows(above, action, location)).toBe(true)
      }),
      { numRuns: 5_000 },
    )
    expect(covered).toBeGreaterThan(50)
  })

  it('always covers itself, and covering is transitive', () => {
    fc.assert(
      fc.property(items, items, items, (a, b, c) => {
        const covers = (ceiling: IntentItem[], request: IntentItem[]) =>
          coversIntent({ ceiling, request, vocabulary: STAR }) === undefined
        expect(covers(a, a)).toBe(true)
        if (covers(a, b) && covers(b, c)) expect(covers(a, c)).toBe(true)
      }),
      { numRuns: 3_000 },
    )
  })
})

function allows(items: readonly IntentItem[], action: string, location: string): boolean {
  return items.some(
    (each) =>
      each.actions.some((pattern) => starMatches(pattern, action)) &&
      each.locations.some((pattern) => starMatches(pattern, location)),
  )
}
