import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { flattenClaims } from '../../src/identity/claims.ts'
import { matchesPattern, matchesWorkload } from '../../src/identity/match.ts'
import type { Workload } from '../../src/identity/workload.ts'
import { hasUniqueKeys } from '../../src/model/unique-keys.ts'
import { identityFor, refusal } from './fixture.ts'
import { startIssuer } from './issuer-server.ts'

describe('a pattern', () => {
  it.each([
    ['a', 'a', true],
    ['a', 'ab', false],
    ['a', 'A', false],
    ['', '', true],
    ['*', '', true],
    ['*', 'anything', true],
    ['*', 'any:thing', false],
    ['*', 'any/thing', false],
    ['a:*', 'a:b', true],
    ['a:*', 'a:b:c', false],
    ['repo:acme/*:ref:refs/heads/main', 'repo:acme/site:ref:refs/heads/main', true],
    ['repo:acme/*:ref:refs/heads/main', 'repo:acme/site:ref:refs/heads/dev', false],
    ['repo:acme/*', 'repo:acme/x:environment:prod', false],
    ['x*y*z', 'xyz', true],
    ['x*y*z', 'xayybz', true],
    ['x*y*z', 'xz', false],
    ['ab*ba', 'aba', false],
    ['*.example', 'evil.example\n', false],
    ['a.c', 'abc', false],
  ])('%s against %s: %s', (pattern, value, expected) => {
    expect(matchesPattern(pattern, value)).toBe(expected)
  })

  it('says the same as an anchored regular expression, for anything', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ':', '/', '.'), maxLength: 8 })
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', ':', '/', '*', '.'), maxLength: 8 })
    fc.assert(
      fc.property(pattern, text, (wanted, value) => {
        const source = wanted.replaceAll('.', '\\.').replaceAll('*', '[^:/]*')
        expect(matchesPattern(wanted, value)).toBe(new RegExp(`^${source}$`).test(value))
      }),
      { numRuns: 2_000 },
    )
  })

  it('costs no more than a moment against hostile text', () => {
    const started = performance.now()
    expect(matchesPattern(`${'*a'.repeat(200)}b`, 'a'.repeat(16_000))).toBe(false)
    expect(performance.now() - started).toBeLessThan(200)
  })
})

const workload: Workload = {
  name: 'corp/robot',
  issuer: 'corp',
  issuerUrl: 'https://corp.example',
  subject: 'robot',
  instance: null,
  proof: 'bearer',
  claims: { sub: 'robot', groups: 'on-call,staff', note: 'on-call' },
  lists: { groups: ['on-call', 'staff'] },
  confirmation: null,
  pin: '',
  evidenceId: null,
  evidenceIssuedAt: 0,
  evidenceExpiresAt: 0,
  oneTime: false,
}

describe('a match', () => {
  const match = (claims: Record<string, string>, issuer = 'corp') =>
    matchesWorkload({ issuer, claims }, workload)

  it('needs its issuer and every claim', () => {
    expect(match({ sub: 'robot' })).toBe(true)
    expect(match({ sub: 'robot' }, 'other')).toBe(false)
    expect(match({ sub: 'robot', note: 'else' })).toBe(false)
    expect(match({ sub: 'robot', absent: '*' })).toBe(false)
    expect(match({ constructor: '*' })).toBe(false)
  })

  it('takes a list value by value, and text only as a whole', () => {
    expect(match({ groups: 'on-call' })).toBe(true)
    expect(match({ groups: 'on-call,staff' })).toBe(false)
    const smuggled = { ...workload, claims: { groups: 'x,on-call' }, lists: {} }
    expect(matchesWorkload({ issuer: 'corp', claims: { groups: 'on-call' } }, smuggled)).toBe(false)
  })
})

describe('the agent of a workload', () => {
  const agent = (id: string, overlay: Record<string, unknown> = {}) => ({
    id,
    tenant: 'support',
    owner: 'support@example.com',
    match: { issuer: 'corp', claims: { sub: 'robot' } },
    ...overlay,
  })
  const choose = async (agents: Record<string, unknown>[]) => {
    const server = await startIssuer()
    await server.close()
    return identityFor(server, {}, agents).identity
  }

  it('is the one that matches', async () => {
    const elsewhere = agent('b', { match: { issuer: 'corp', claims: { sub: 'other' } } })
    const identity = await choose([elsewhere, agent('a')])
    expect(identity.agentFor(workload)).toMatchObject({ id: 'a', proof: 'bearer', labels: [] })
  })

  it('P3: is refused when none or several match, with one text for both', async () => {
    const none = (await choose([])).agentFor
    const several = (await choose([agent('a'), agent('b')])).agentFor
    const answers = await Promise.all(
      [none, several].map((find) => refusal(Promise.resolve().then(() => find(workload)))),
    )
    expect(answers.map(({ code }) => code)).toEqual(['agent_unknown', 'agent_unknown'])
    expect(answers[0]?.message).toBe(answers[1]?.message)
    expect(() => several(workload)).toThrow(
      expect.objectContaining({ detail: { workload: 'corp/robot', matching: ['a', 'b'] } }),
    )
  })

  it('P10: must show at least the proof the agent demands', async () => {
    for (const proof of ['bound', 'key']) {
      const { agentFor } = await choose([agent('a', { proof })])
      expect(() => agentFor(workload)).toThrow(expect.objectContaining({ code: 'proof_too_weak' }))
    }
    const { agentFor } = await choose([agent('a', { proof: 'bound' })])
    expect(agentFor({ ...workload, proof: 'key' }).id).toBe('a')
  })
})

describe('claims as text', () => {
  it('leave out what has no unambiguous text, and keep lists value by value', () => {
    expect(
      flattenClaims({ n: 1, yes: true, no: null, list: ['a,b', 'c'], mixed: [{}], e: [] }),
    ).toEqual({
      claims: { n: '1', yes: 'true', e: '' },
      lists: { list: ['a,b', 'c'], e: [] },
    })
  })

  it('survive names that mean something to JavaScript', () => {
    const flat = flattenClaims(JSON.parse('{"__proto__": {"sub": "admin"}, "constructor": "x"}'))
    expect(flat?.claims).toEqual({ '__proto__/sub': 'admin', constructor: 'x' })
    expect(flattenClaims(JSON.parse('{"__proto__": "x"}'))?.claims.sub).toBeUndefined()
  })
})

describe('keys said twice', () => {
  it.each([
    ['{"a":1,"b":{"a":2}}', true],
    ['[{"a":1},{"a":1}]', true],
    ['{"a":"{\\"a\\":1,\\"a\\":2}"}', true],
    ['{"a":["a","a"],"b":"a"}', true],
    ['{"a":1,"a":1}', false],
    ['{"a":1,"\\u0061":1}', false],
    ['{"x":{"y":[{"a":1,"b":[],"a":1}]}}', false],
    ['{"a":"\\\\","a":1}', false],
  ])('%s: unique %s', (text, unique) => {
    expect(hasUniqueKeys(text, JSON.parse(text))).toBe(unique)
  })

  it('are never seen in what JSON.stringify wrote', () => {
    fc.assert(fc.property(fc.jsonValue(), (v) => hasUniqueKeys(JSON.stringify(v), v)))
  })
})
