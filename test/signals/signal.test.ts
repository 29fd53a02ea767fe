import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MayflyError } from '../../src/errors.ts'
import { selectorSchema } from '../../src/model/selector.ts'
import { parseSignal, SIGNAL_ACTIONS } from '../../src/signals/signal.ts'

const parse = (body: unknown) => parseSignal(JSON.stringify(body))
const signal = { subject: { agent: 'a' }, reason: 'theft' }

function problems(text: string): string[] {
  try {
    parseSignal(text)
  } catch (error) {
    if (!(error instanceof MayflyError)) throw error
    expect(error.code).toBe('invalid_request')
    return (error.problems ?? []).map(({ path, message }) => `${path} ${message}`.trim())
  }
  throw new Error('it was accepted')
}

describe('a signal', () => {
  it('without an action kills at HIGH and only sets risk below', () => {
    expect(parse({ ...signal, level: 'HIGH' }).action).toBe('kill')
    expect(parse({ ...signal, level: 'MEDIUM' }).action).toBe('risk')
    expect(parse({ ...signal, level: 'LOW' }).action).toBe('risk')
  })

  it('does what its action says, whatever its level', () => {
    expect(parse({ ...signal, level: 'HIGH', action: 'risk' })).toMatchObject({
      level: 'HIGH',
      action: 'risk',
    })
    expect(parse({ ...signal, action: 'block', ttl_seconds: 60 })).toEqual({
      subject: { agent: 'a' },
      level: null,
      action: 'block',
      reason: 'theft',
      ttlSeconds: 60,
    })
  })

  it('must say something: a level or an action', () => {
    expect(problems(JSON.stringify(signal))).toEqual(['level must have a level or an action'])
    expect(problems(JSON.stringify({ ...signal, action: 'risk' }))).toEqual([
      'level must be given with action "risk"',
    ])
  })

  it('is refused in the words of every other request, each problem with its path', () => {
    const wrong = {
      ...signal,
      level: 'SEVERE',
      ttl_seconds: 0,
      subject: { agent: 'a', x: 1 },
      y: 2,
    }
    expect(problems(JSON.stringify(wrong)).toSorted()).toEqual([
      'level must be one of LOW, MEDIUM, HIGH',
      'subject.x is not a known field',
      'ttl_seconds must be at least 1',
      'y is not a known field',
    ])
  })

  it('P3: that only sets risk names whom decisions ask about; what would have no effect is refused', () => {
    const part = { ...signal, subject: { agent: 'a', entitlement: 'e' } }
    for (const change of [{ level: 'MEDIUM' }, { level: 'HIGH', action: 'risk' }]) {
      expect(problems(JSON.stringify({ ...part, ...change }))).toEqual([
        'subject has no risk of its own; name a task, agent, workload, issuer or tenant, or block it',
      ])
      expect(parse({ ...signal, subject: { issuer: 'corp' }, ...change }).action).toBe('risk')
    }
    expect(parse({ ...part, level: 'HIGH' }).action).toBe('kill')
    expect(parse({ ...part, level: 'MEDIUM', action: 'block' }).action).toBe('block')
  })

  it.each([
    ['an unknown field', { ...signal, level: 'HIGH', severity: 9 }],
    ['an unknown level', { ...signal, level: 'CRITICAL' }],
    ['an unknown action', { ...signal, action: 'delete' }],
    ['no reason', { subject: { agent: 'a' }, level: 'HIGH' }],
    ['a reason that hides something', { ...signal, level: 'HIGH', reason: 'a\u202eb' }],
    ['no subject', { reason: 'x', level: 'HIGH' }],
    ['a subject that names nothing', { ...signal, subject: {}, level: 'HIGH' }],
    ['a subject with an unknown field', { ...signal, subject: { user: 'a' }, level: 'HIGH' }],
    ['a time of zero', { ...signal, level: 'HIGH', ttl_seconds: 0 }],
    ['a negative time', { ...signal, level: 'HIGH', ttl_seconds: -1 }],
    ['a time that is not whole', { ...signal, level: 'HIGH', ttl_seconds: 1.5 }],
    ['a time beyond a month', { ...signal, level: 'HIGH', ttl_seconds: 2_592_001 }],
    ['no object', 'theft'],
  ])('P3: is refused for %s', (_, body) => {
    expect(problems(JSON.stringify(body)).length).toBeGreaterThan(0)
  })

  it('is refused if it says a key twice: a template filled with a stranger’s text', () => {
    const smuggled = '{"subject":{"agent":"a"},"level":"LOW","reason":"x","subject":{"all":true}}'
    expect(problems(smuggled)).toEqual(['must not say a key twice'])
  })

  it('is either refused with problems or one of the known shapes, for any text', () => {
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom('HIGH', 'LOW', 'kill', 'risk', 60))
    const near = fc.record(
      {
        subject: fc.oneof(value, fc.constant({ agent: 'a' }), fc.constant({ all: true })),
        level: value,
        action: value,
        reason: value,
        ttl_seconds: value,
      },
      { requiredKeys: ['subject', 'reason'] },
    )
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      near.map((body) => JSON.stringify(body)),
    )
    fc.assert(
      fc.property(text, (body) => {
        try {
          const parsed = parseSignal(body)
          expect(SIGNAL_ACTIONS).toContain(parsed.action)
          expect(selectorSchema.safeParse(parsed.subject).success).toBe(true)
        } catch (error) {
          if (!(error instanceof MayflyError)) throw error
          expect(error.problems?.length).toBeGreaterThan(0)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
