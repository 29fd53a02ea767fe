import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { permits } from '../../../deploy/examples/resource-server/grants.ts'
import { vocabulary } from '../../../providers/jwt/vocabulary.ts'
import { coversIntent } from '../../../src/intent/covers.ts'

const item = (overlay: object = {}) => ({
  type: 'api',
  actions: ['tickets:read'],
  locations: ['/tickets/*'],
  ...overlay,
})

describe('its grammar', () => {
  it.each(['*', '/', '/*', '/tickets', '/tickets/*', '/tickets/47*', '/a/b.c/~d@e'])(
    'takes the location %s',
    (location) => {
      expect(vocabulary.check(item({ locations: [location] }))).toBeUndefined()
    },
  )

  it.each([
    '',
    'tickets',
    '/tickets/*/x',
    '/a//b',
    '/../b',
    '/a/.',
    '/a/..*',
    '/a?b',
    '/a#b',
    '/a%2fb',
    '/a\\b',
    '/ä',
    'https://x/y',
  ])('refuses the location %j', (location) => {
    expect(vocabulary.check(item({ locations: [location] }))).toHaveProperty('refused')
  })

  it.each(['*', 'tickets:*', 'read write', '"x"', 'é', '', ':read'])(
    'refuses the action %j',
    (action) => {
      expect(vocabulary.check(item({ actions: [action] }))).toHaveProperty('refused')
    },
  )
})

describe('P4: narrower is what an API lets in less of', () => {
  const part = fc.constantFrom('a', 'b', 'ab', 'a.b')
  const path = fc.array(part, { maxLength: 3 }).map((parts) => `/${parts.join('/')}`)
  const location = fc.oneof(
    path,
    path.map((text) => `${text}*`),
    fc.constant('*'),
  )
  const action = fc.constantFrom('read', 'delete')
  const grants = fc.array(
    fc.record({
      type: fc.constant('api'),
      actions: fc.uniqueArray(action, { minLength: 1 }),
      locations: fc.array(location, { minLength: 1, maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 2 },
  )

  it('what the ceiling covers, the ceiling itself would have let in', () => {
    fc.assert(
      fc.property(grants, grants, action, path, (ceiling, request, asked, at) => {
        if (coversIntent({ ceiling, request, vocabulary }) !== undefined) return
        const let_in = permits(request, { action: asked, path: at })
        expect(!let_in || permits(ceiling, { action: asked, path: at })).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  it('constraints of the ceiling must be there, and more of them only narrow', () => {
    const covers = vocabulary.coversConstraints
    expect(covers({ lang: ['de', 'en'] }, { lang: ['de'], region: ['eu'] })).toBe(true)
    expect(covers({ lang: ['de'] }, { lang: ['de', 'en'] })).toBe(false)
    expect(covers({ lang: ['de'] }, {})).toBe(false)
    expect(covers({ lang: ['de'] }, undefined)).toBe(false)
    expect(covers({}, { lang: ['de'] })).toBe(true)
  })
})

describe('what is at stake is read from the name of the action', () => {
  it.each([
    ['tickets:read', '/tickets/4711', []],
    ['tickets:create', '/tickets/*', []],
    ['tickets:read', '*', ['bulk-read']],
    ['tickets.export', '/tickets/4711', ['bulk-read']],
    ['tickets:delete', '/tickets/4711', ['destructive-write']],
    ['tickets:frobnicate', '/tickets/4711', ['destructive-write']],
    ['users:tokens:read', '/users/1', ['credential-access']],
    ['roles.grant', '/roles/1', ['destructive-write', 'privilege-escalation']],
  ])('%s at %s', (action, location, impacts) => {
    expect(vocabulary.impactOf(action, [location])).toEqual(impacts)
  })

  it('weighs every location of an action, wherever it stands', () => {
    expect(vocabulary.impactOf('tickets:read', ['/tickets/4711', '*'])).toContain('bulk-read')
  })
})

it('an API lets in nothing under a constraint that it does not know, or a path it cannot read', () => {
  const grant = item({ constraints: { lang: ['de'] } })
  const asked = { action: 'tickets:read', path: '/tickets/1' }
  expect(permits([grant], asked)).toBe(false)
  expect(permits([grant], { ...asked, facts: { lang: 'de' } })).toBe(true)
  expect(permits([grant], { ...asked, facts: { lang: 'fr' } })).toBe(false)
  expect(permits([item()], { ...asked, path: '/tickets/%2e%2e/users' })).toBe(false)
  expect(permits('[]', asked)).toBe(false)
})
