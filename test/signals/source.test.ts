import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matches, type Selector } from '../../src/model/selector.ts'
import type { Signal } from '../../src/signals/signal.ts'
import { allowedBySource, webhookSourceSchema } from '../../src/signals/source.ts'

const settings = { name: 'splunk', type: 'webhook', secret: 'env:SPLUNK_SECRET' }
const sourceOf = (overlay: object = {}) => webhookSourceSchema.parse({ ...settings, ...overlay })
const signalOn = (subject: Selector, action: Signal['action'] = 'kill'): Signal => ({
  subject,
  level: 'HIGH',
  action,
  reason: 'theft',
  ttlSeconds: null,
})
const scoped = sourceOf({ scope: { tenants: ['support', 'sales'] } })

describe('a source’s settings', () => {
  it('default to every action at a bounded pace', () => {
    expect(sourceOf()).toEqual({ ...settings, max_action: 'kill', max_subjects_per_minute: 60 })
  })

  it.each([
    ['a secret in the file', { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }],
    ['a scope that names nothing', { scope: {} }],
    ['a scope with an empty list', { scope: { tenants: [] } }],
    ['an unknown action', { max_action: 'delete' }],
    ['an unknown field', { token: 'env:X' }],
    ['no pace', { max_subjects_per_minute: 0 }],
  ])('P16: refuse %s', (_, overlay) => {
    expect(webhookSourceSchema.safeParse({ ...settings, ...overlay }).success).toBe(false)
  })
})

describe('a signal of a source', () => {
  it('may name anything where the source has no scope', () => {
    for (const subject of [{ all: true }, { tenant: 'x' }, { agent: 'a' }] as const) {
      expect(allowedBySource(sourceOf(), signalOn(subject))).toEqual({ selectors: [subject] })
    }
  })

  it('is bound to the tenants of the scope where it names none', () => {
    expect(allowedBySource(scoped, signalOn({ agent: 'a' }))).toEqual({
      selectors: [
        { agent: 'a', tenant: 'support' },
        { agent: 'a', tenant: 'sales' },
      ],
    })
    expect(allowedBySource(scoped, signalOn({ agent: 'a', tenant: 'sales' }))).toEqual({
      selectors: [{ agent: 'a', tenant: 'sales' }],
    })
  })

  it('is refused outside of the scope, and for all', () => {
    expect(allowedBySource(scoped, signalOn({ tenant: 'billing' }))).toEqual({
      refused: 'subject.tenant "billing" is outside of this source\'s scope',
    })
    expect(allowedBySource(scoped, signalOn({ all: true }))).toHaveProperty('refused')
    const both = sourceOf({ scope: { tenants: ['support'], agents: ['a'] } })
    expect(allowedBySource(both, signalOn({ agent: 'b' }))).toHaveProperty('refused')
    expect(allowedBySource(both, signalOn({ lease: 'lease_1' }))).toEqual({
      selectors: [{ lease: 'lease_1', tenant: 'support', agent: 'a' }],
    })
  })

  it('may do no more than the source may', () => {
    const may = (max_action: string, action: Signal['action']) =>
      'selectors' in allowedBySource(sourceOf({ max_action }), signalOn({ agent: 'a' }, action))
    expect(['risk', 'block', 'kill'].map((max) => may(max, 'risk'))).toEqual([true, true, true])
    expect(['risk', 'block', 'kill'].map((max) => may(max, 'block'))).toEqual([false, true, true])
    expect(['risk', 'block', 'kill'].map((max) => may(max, 'kill'))).toEqual([false, false, true])
  })

  it('never takes effect outside of the scope, nor on what it did not name', () => {
    const name = fc.constantFrom('support', 'sales', 'billing')
    const agent = fc.constantFrom('a', 'b')
    const fields = fc.record({ tenant: name, agent, lease: agent }, { requiredKeys: [] })
    const scope = fc.record({
      tenants: fc.uniqueArray(name, { minLength: 1 }),
      agents: fc.uniqueArray(agent, { minLength: 1 }),
    })
    const lease = fc.record({ tenant: name, agent, lease: agent })
    fc.assert(
      fc.property(fields, scope, lease, (subject, within, hit) => {
        fc.pre(Object.keys(subject).length > 0)
        const allowed = allowedBySource(sourceOf({ scope: within }), signalOn(subject))
        if ('refused' in allowed) return
        const inScope = within.tenants.includes(hit.tenant) && within.agents.includes(hit.agent)
        expect(allowed.selectors.some((selector) => matches(selector, hit))).toBe(
          inScope && matches(subject, hit),
        )
      }),
      { numRuns: 1_000 },
    )
  })
})
