import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePolicy, type PolicyDocument } from '../../../providers/vault/compile.ts'
import { CAPABILITIES } from '../../../providers/vault/vocabulary.ts'
import type { IntentItem } from '../../../src/model/intent.ts'
import { aclOf } from '../../sandbox/vault/acl.ts'
import type { Exchange } from '../../sandbox/vault/exchange.ts'
import { parsePolicy } from '../../sandbox/vault/policy-document.ts'
import { anyLocation, anyPath, pathMatcher } from './path-oracle.ts'

describe('compiling an intent to an ACL policy', () => {
  it('P4: grants exactly what its items say, under vault’s own priorities', () => {
    let accepted = 0
    fc.assert(
      fc.property(
        fc.array(anyItem, { minLength: 1, maxLength: 4 }),
        fc.array(anyExchange, { minLength: 30, maxLength: 40 }),
        (items, exchanges) => {
          const policy = compilePolicy(items)
          if ('refused' in policy) return
          accepted += 1
          const acl = enforced(policy)
          for (const exchange of exchanges) {
            const asked = items.some((item) => allows(item, exchange))
            if (acl.allows(exchange) !== asked) expect({ items, exchange }).toBe(asked)
          }
        },
      ),
      { numRuns: 1_500 },
    )
    expect(accepted).toBeGreaterThan(200)
  })

  it('P4: under constraints it never grants more than an item says', () => {
    fc.assert(
      fc.property(
        fc.array(anyConstrained, { minLength: 1, maxLength: 3 }),
        anyWrite,
        (items, exchange) => {
          const policy = compilePolicy(items)
          if ('refused' in policy) return
          const asked = items.some((item) => allows(item, exchange))
          expect(enforced(policy).allows(exchange)).toBe(asked)
        },
      ),
      { numRuns: 4_000 },
    )
  })

  it('gives a more specific location what the wider one grants too', () => {
    const policy = compilePolicy([
      item(['read'], 'secret/data/*'),
      item(['update'], 'secret/data/notes'),
    ])
    expect(policy).toEqual({
      path: {
        'secret/data/*': { capabilities: ['read'] },
        'secret/data/notes': { capabilities: ['read', 'update'] },
      },
    })
  })

  it.each([
    ['a/+/c', 'a/b/+', 'overlap with different actions'],
    ['a/+/+/x', 'a/+/*', undefined],
    ['a/+/b/+/c*', 'a/+/*', 'overlap with different actions'],
  ])('decides whether read on %s beside update on %s can be said', (first, second, why) => {
    const policy = compilePolicy([item(['read'], first), item(['update'], second)])
    if (why) expect(policy).toMatchObject({ refused: expect.stringContaining(why) })
    else expect(policy).toHaveProperty('path')
  })

  it('refuses one path under two sets of constraints, which vault would merge', () => {
    const constrained = (value: string): IntentItem => ({
      ...item(['update'], 'kv/x'),
      constraints: { mode: [value] },
    })
    expect(compilePolicy([constrained('a'), constrained('b')])).toHaveProperty('refused')
    expect(compilePolicy([constrained('a'), constrained('a')])).toHaveProperty('path')
    expect(compilePolicy([constrained('a'), item(['read'], 'kv/*')])).toHaveProperty('refused')
  })

  it('demands a constrained parameter instead of merely allowing it', () => {
    const policy = compilePolicy([
      { ...item(['update'], 'kv/x'), constraints: { mode: ['safe'], note: [] } },
    ])
    if ('refused' in policy) throw new Error(policy.refused)
    const acl = enforced(policy)
    const update = (data: Record<string, unknown>) =>
      acl.allows({ operation: 'update', path: 'kv/x', data })
    expect(update({ mode: 'safe' })).toBe(true)
    expect(update({ mode: 'safe', note: 'anything' })).toBe(true)
    expect(update({ mode: 'wild' })).toBe(false)
    expect(update({ note: 'anything' })).toBe(false)
    expect(update({})).toBe(false)
    expect(update({ mode: 'safe', other: 1 })).toBe(false)
  })

  it('refuses a listing that vault would judge by another stanza', () => {
    const policy = compilePolicy([item(['read'], 'kv/*'), item(['list'], 'kv/team/*')])
    expect(policy).toMatchObject({ refused: expect.stringContaining('hidden') })
  })

  it('refuses an empty intent, which must never become an empty policy list', () => {
    expect(compilePolicy([])).toHaveProperty('refused')
  })
})

function enforced(policy: PolicyDocument) {
  return aclOf([parsePolicy(JSON.stringify(policy))])
}

/** What an item says, without any compiling. */
function allows({ actions, locations, constraints }: IntentItem, exchange: Exchange): boolean {
  if (!actions.includes(exchange.operation)) return false
  if (!locations.some((location) => pathMatcher(location)(exchange.path))) return false
  const rules = Object.entries(constraints ?? {})
  if (rules.length === 0) return true
  const given = Object.entries(exchange.data)
  const demanded = rules.filter(([, values]) => values.length > 0).map(([name]) => name)
  return (
    demanded.every((name) => name in exchange.data) &&
    given.every(([name, value]) =>
      rules.some(
        ([n, values]) => n === name && (values.length === 0 || values.some((v) => v === value)),
      ),
    )
  )
}

const anyItem = fc
  .record({
    type: fc.constant('vault'),
    actions: fc.uniqueArray(fc.constantFrom(...CAPABILITIES), { minLength: 1, maxLength: 3 }),
    locations: fc.array(anyLocation, { minLength: 1, maxLength: 2 }),
  })
  .filter(
    ({ actions, locations }) =>
      !actions.includes('list') || locations.every((l) => /[/*]$/.test(l)),
  )

const anyExchange: fc.Arbitrary<Exchange> = fc
  .tuple(fc.constantFrom(...CAPABILITIES), anyPath)
  .map(([operation, path]) => ({
    operation,
    path: operation === 'list' && !path.endsWith('/') ? `${path}/` : path,
    data: {},
  }))

const anyConstrained = fc.record({
  type: fc.constant('vault'),
  actions: fc.constantFrom(['update'], ['create', 'update'], ['read']),
  locations: fc.array(anyLocation, { minLength: 1, maxLength: 2 }),
  constraints: fc.constantFrom<Record<string, string[]>>(
    {},
    { p: ['1'] },
    { p: ['1', '2'], q: [] },
  ),
})

const anyWrite: fc.Arbitrary<Exchange> = fc.record({
  operation: fc.constantFrom('update', 'create', 'read'),
  path: anyPath,
  data: fc.constantFrom<Record<string, string>>(
    {},
    { p: '1' },
    { p: '2' },
    { q: 'x' },
    { p: '1', q: 'x' },
    { r: '1' },
  ),
})

function item(actions: string[], location: string): IntentItem {
  return { type: 'vault', actions, locations: [location] }
}
