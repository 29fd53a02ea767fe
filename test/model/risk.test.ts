import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { highest, RISK_LEVELS, riskAt } from '../../src/model/risk.ts'

const signal = (level: unknown, expiresAt: unknown = null, reason = String(level)) => ({
  level,
  expiresAt,
  reason,
})

describe('risk', () => {
  it('is LOW without signals', () => {
    expect(riskAt([], 100)).toEqual({ level: 'LOW', reasons: [] })
    expect(highest([])).toBe('LOW')
  })

  it('is the highest unexpired signal, with the reasons for that level', () => {
    const signals = [signal('MEDIUM', 200, 'slow'), signal('HIGH', 150, 'theft'), signal('LOW')]
    expect(riskAt(signals, 100)).toEqual({ level: 'HIGH', reasons: ['theft'] })
    expect(riskAt(signals, 149).level).toBe('HIGH')
    expect(riskAt(signals, 150)).toEqual({ level: 'MEDIUM', reasons: ['slow'] })
    expect(riskAt(signals, 200).level).toBe('LOW')
  })

  it('P3: is HIGH, for good, where a signal cannot be read', () => {
    for (const level of ['high', '', null, undefined, 3, {}, 'CRITICAL']) {
      expect(riskAt([signal(level, 50, 'odd')], 100)).toEqual({ level: 'HIGH', reasons: ['odd'] })
    }
    for (const expiry of ['tomorrow', Number.NaN, Number.POSITIVE_INFINITY, {}]) {
      expect(riskAt([signal('LOW', expiry)], 100).level).toBe('HIGH')
    }
  })

  it('never falls by one signal more', () => {
    const any = fc.record({
      level: fc.constantFrom<unknown>(...RISK_LEVELS, 'odd'),
      expiresAt: fc.constantFrom<unknown>(null, 50, 150, 'odd'),
      reason: fc.constant('r'),
    })
    const rank = (signals: Parameters<typeof riskAt>[0]) =>
      RISK_LEVELS.indexOf(riskAt(signals, 100).level)
    fc.assert(
      fc.property(fc.array(any), any, (signals, more) => {
        expect(rank([...signals, more])).toBeGreaterThanOrEqual(rank(signals))
      }),
    )
  })
})
