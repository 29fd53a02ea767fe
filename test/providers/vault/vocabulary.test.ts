import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pathProblem } from '../../../providers/vault/path-pattern.ts'
import { vaultVocabulary as vocabulary } from '../../../providers/vault/vocabulary.ts'
import { ALL_PATHS, anyLocation, pathMatcher } from './path-oracle.ts'

describe('locations', () => {
  it('P4: whatever a covered location matches, its ceiling matches', () => {
    let covered = 0
    fc.assert(
      fc.property(anyLocation, anyLocation, (ceiling, request) => {
        if (!vocabulary.coversLocation(ceiling, request)) return
        if (ceiling !== request) covered += 1
        const matched = ALL_PATHS.filter(pathMatcher(request))
        expect(matched.filter(pathMatcher(ceiling))).toEqual(matched)
      }),
      { numRuns: 10_000 },
    )
    expect(covered).toBeGreaterThan(100)
  })

  it('P4: two locations that match one path overlap', () => {
    fc.assert(
      fc.property(anyLocation, anyLocation, (a, b) => {
        if (vocabulary.overlaps(a, b)) return
        expect(ALL_PATHS.filter(pathMatcher(a)).filter(pathMatcher(b))).toEqual([])
      }),
      { numRuns: 3_000 },
    )
  })

  it('covers itself, and a location below a prefix', () => {
    fc.assert(
      fc.property(anyLocation, (a) => {
        expect(vocabulary.coversLocation(a, a)).toBe(true)
      }),
    )
    expect(vocabulary.coversLocation('secret/data/*', 'secret/data/tickets/+/x')).toBe(true)
    expect(vocabulary.coversLocation('secret/+/x', 'secret/data/x')).toBe(true)
  })

  it.each([
    ['secret/data/x', 'secret/data/*'],
    ['secret/+/x', 'secret/*'],
    ['secret/data/+', 'secret/data/a/b'],
    ['secret/data/a*', 'secret/data/+'],
    ['secret/data/tickets', 'secret/data/tickets/'],
    ['secret/data/', 'secret/data*'],
  ])('P4: "%s" does not cover "%s"', (ceiling, request) => {
    expect(vocabulary.coversLocation(ceiling, request)).toBe(false)
  })

  it.each([
    ['', 'empty'],
    ['/secret/x', 'start with /'],
    ['secret/*/x', 'last character'],
    ['secret/a+b', 'whole segment'],
    ['secret/+*', 'must not end with +*'],
    ['secret//x', 'empty segment'],
    ['secret/../sys', '. or ..'],
    ['secret/"x', 'may only hold'],
    ['secret/$' + '{x}', 'may only hold'],
    ['secret/{{x}}', 'may only hold'],
    ['secret/x\ny', 'may only hold'],
    ['secret/%2e%2e/sys', 'may only hold'],
    ['secret/ü', 'may only hold'],
  ])('refuses the location %j', (location, why) => {
    expect(pathProblem(location)).toContain(why)
    expect(vocabulary.check(item(['read'], location))).toHaveProperty('refused')
    expect(vocabulary.coversLocation('secret/*', location)).toBe(false)
    expect(vocabulary.overlaps('other/x', location)).toBe(true)
  })
})

describe('actions and constraints', () => {
  it('knows the five capabilities and no wildcard over them', () => {
    expect(vocabulary.check(item(['read', 'create', 'update', 'delete'], 'a/b'))).toBeUndefined()
    for (const action of ['sudo', 'deny', 'root', '*', 'READ', 'patch', 'scan']) {
      expect(vocabulary.check(item([action], 'a/b'))).toHaveProperty('refused')
    }
    expect(vocabulary.coversAction('*', 'read')).toBe(false)
  })

  it('asks for a folder where something is listed', () => {
    expect(vocabulary.check(item(['list'], 'secret/metadata/tickets'))).toHaveProperty('refused')
    expect(vocabulary.check(item(['list'], 'secret/metadata/tickets/'))).toBeUndefined()
  })

  it.each([
    [undefined, undefined, true],
    [{}, { a: ['1'] }, true],
    [{ a: ['1', '2'] }, { a: ['1'] }, true],
    [{ a: ['1'] }, { a: ['1', '2'] }, false],
    [{ a: ['1'] }, { a: [] }, false],
    [{ a: ['1'] }, undefined, false],
    [{ a: ['1'] }, { a: ['1'], b: ['2'] }, false],
    [{ a: ['1'], b: ['2'] }, { a: ['1'] }, false],
    [{ a: [], b: ['2'] }, { b: ['2'] }, true],
    [{ a: [] }, { a: ['1'] }, true],
  ])('P4: the ceiling %j covers the request %j: %s', (ceiling, request, covered) => {
    expect(vocabulary.coversConstraints(ceiling, request)).toBe(covered)
  })

  it.each([
    [['list'], 'a/', { p: ['1'] }],
    [['delete'], 'a/b', { p: ['1'] }],
    [['update'], 'a/b', { p: ['x*'] }],
    [['update'], 'a/b', { p: ['"'] }],
    [['update'], 'a/b', { P: ['x'] }],
    [['update'], 'a/b', { '*': ['x'] }],
  ])(
    'refuses what vault would not check exactly: %j on %s under %j',
    (actions, location, constraints) => {
      const answer = vocabulary.check({
        type: 'vault',
        actions,
        locations: [location],
        constraints,
      })
      expect(answer).toHaveProperty('refused')
    },
  )
})

describe('impact', () => {
  it.each([
    ['read', 'secret/data/tickets/4711', []],
    ['create', 'secret/data/tickets/4711', []],
    ['read', 'secret/data/tickets/*', []],
    ['read', 'secret/data/*', ['bulk-read']],
    ['list', 'secret/metadata/', ['bulk-read']],
    ['update', 'secret/data/tickets/4711', ['destructive-write']],
    ['delete', 'secret/data/tickets/4711', ['destructive-write']],
    ['read', 'database/creds/readonly', ['credential-access']],
    ['read', 'database/c*', ['credential-access', 'bulk-read']],
    ['update', 'pki/issue/web', ['credential-access', 'destructive-write']],
    ['read', 'auth/userpass/users/', ['privilege-escalation']],
    ['update', 'sys/policies/acl/x', ['privilege-escalation', 'destructive-write']],
  ])('%s on %s is %j', (action, location, impacts) => {
    expect(vocabulary.impactOf(action, [location])).toEqual(impacts)
  })

  it('weighs every location of an action, wherever it stands', () => {
    expect(vocabulary.impactOf('read', ['secret/data/4711', 'secret/data/*'])).toContain(
      'bulk-read',
    )
  })

  it('a pattern over everything is the worst of all', () => {
    expect(vocabulary.impactOf('read', ['*'])).toContain('privilege-escalation')
    expect(vocabulary.impactOf('read', ['+/x'])).toContain('privilege-escalation')
    expect(vocabulary.impactOf('read', ['s*'])).toContain('privilege-escalation')
  })
})

function item(actions: string[], location: string) {
  return { type: 'vault', actions, locations: [location] }
}
