import { expect, it, onTestFinished } from 'vitest'
import type { ExplanationWire } from '../../src/model/wire.ts'
import { brokerDouble } from './broker-double.ts'
import { mayfly } from './run-mayfly.ts'

const ID = `dec_${'a'.repeat(20)}`
const EXPLANATION: ExplanationWire = {
  decision: {
    id: ID,
    at: '2027-01-15T12:00:00.000Z',
    action: 'requestCredential',
    outcome: 'deny',
    agent: 'summariser',
    tenant: 'support',
    entitlement: 'tickets-write',
    policies: ['high-risk'],
    rails: [],
    reasons: ['forbidden by policy "high-risk"'],
    policy_hash: 'a'.repeat(64),
    shadow: { outcome: 'permit', policies: ['new'], reasons: [], policy_hash: 'c'.repeat(64) },
  },
  intent: 'of the task',
  inputs: [{ action: 'requestCredential', risk: { level: 'HIGH', reasons: ['odd\u001b[31m'] } }],
  policies: [{ id: 'high-risk', file: 'risk.cedar', text: '@id("high-risk")\nforbid (…);' }],
  in_force: {
    outcome: 'permit',
    policies: [],
    reasons: ['permitted'],
    policy_hash: 'b'.repeat(64),
  },
  needed: ['policy "high-risk" (risk.cedar) must not apply: it forbids this'],
}

it('explain reads a decision out, from the outcome to what was asked', async () => {
  const broker = await brokerDouble({ [`GET /v1/decisions/${ID}/explanation`]: EXPLANATION })
  onTestFinished(broker.close)
  const { code, stdout } = await mayfly(['explain', ID], { MAYFLY_URL: broker.url })
  expect(code).toBe(0)
  for (const part of [
    'deny  requestCredential of tickets-write by agent summariser of tenant support',
    'policy high-risk (risk.cedar)',
    '  forbid (…);',
    'must not apply',
    'shadow policies would have decided',
    'the policies were changed since; those in force say',
    'level: HIGH',
  ]) {
    expect(stdout).toContain(part)
  }
  expect(stdout).not.toContain('\u001b')
})

it('decisions ls --shadow-differs asks for those and shows what they would have been', async () => {
  const broker = await brokerDouble({
    'GET /v1/decisions': { items: [EXPLANATION.decision], next_cursor: null },
  })
  onTestFinished(broker.close)
  const args = ['decisions', 'ls', '--shadow-differs']
  const { stdout } = await mayfly(args, { MAYFLY_URL: broker.url })
  expect(broker.seen[0]?.url).toContain('shadow_differs=true')
  expect(stdout).toMatch(/SHADOW[\s\S]*deny +permit/)
})
