import { describe, expect, it } from 'vitest'
import { loadPolicies } from '../../src/policy/engine.ts'
import type { CredentialQuestion, TenantAct } from '../../src/policy/question.ts'
import {
  credential,
  delegating,
  NOW,
  opening,
  operator,
  starterFiles,
  TENANT_ACTS,
} from './fixture.ts'

const load = loadPolicies(starterFiles())
if (!load.ok) throw new Error(JSON.stringify(load.problems))
const { decide, policyIds } = load.engine

const outcome = (overlay: Partial<CredentialQuestion>) => decide(credential(overlay)).outcome
const risk = (level: 'LOW' | 'MEDIUM' | 'HIGH') => ({ level, reasons: ['a signal'] })
const { workload, entitlement, request, task, agent } = credential()
const bound = { ...workload, proof: 'bound' } as const
const deleting = { ...request, actions: ['s3:DeleteObject'], impact: ['destructive-write'] }

describe('the starter policies', () => {
  it('all have a name of their own', () => {
    expect(policyIds.filter((id) => id.includes('#'))).toEqual([])
  })

  it('let an agent open tasks in its own tenant, unless the risk is HIGH', () => {
    expect(decide(opening()).outcome).toBe('permit')
    expect(decide(opening({ risk: risk('MEDIUM') })).outcome).toBe('permit')
    expect(decide(opening({ risk: risk('HIGH') }))).toMatchObject({
      outcome: 'deny',
      policies: ['high-risk'],
    })
  })

  it('permit low impact at LOW risk to the tenants of the entitlement', () => {
    expect(outcome({})).toBe('permit')
    expect(outcome({ agent: { ...agent, tenant: 'billing' } })).toBe('deny')
    expect(outcome({ entitlement: { ...entitlement, tenants: [] } })).toBe('deny')
  })

  it('keep high impact for an approval, with proof stronger than a bearer token', () => {
    expect(outcome({ request: deleting })).toBe('deny')
    expect(outcome({ request: deleting, workload: bound })).toBe('needs-approval')
    expect(outcome({ request: deleting, workload: { ...workload, proof: 'key' } })).toBe(
      'needs-approval',
    )
    const elsewhere = { ...agent, tenant: 'billing' }
    expect(outcome({ request: deleting, workload: bound, agent: elsewhere })).toBe('deny')
  })

  it('at MEDIUM risk permit nothing without an approval', () => {
    expect(outcome({ risk: risk('MEDIUM') })).toBe('deny')
    expect(outcome({ risk: risk('MEDIUM'), workload: bound })).toBe('needs-approval')
  })

  it('at HIGH risk forbid all, approved or not', () => {
    expect(outcome({ risk: risk('HIGH') })).toBe('deny')
    expect(decide(credential({ risk: risk('HIGH'), workload: bound }))).toMatchObject({
      outcome: 'deny',
      policies: ['high-risk'],
    })
  })

  it('keep what is restricted away from what is external, in either order', () => {
    const external = { ...entitlement, zone: 'external' }
    const restricted = { ...entitlement, zone: 'restricted' }
    expect(outcome({ entitlement: external })).toBe('permit')
    expect(outcome({ entitlement: restricted })).toBe('permit')
    const having = (touched: object) => ({ task: { ...task, ...touched }, workload: bound })
    expect(outcome({ entitlement: external, ...having({ zones: ['restricted'] }) })).toBe('deny')
    expect(outcome({ entitlement: external, ...having({ datasets: ['restricted'] }) })).toBe('deny')
    expect(outcome({ entitlement: restricted, ...having({ zones: ['external'] }) })).toBe('deny')
    const pii = { ...request, datasets: ['restricted'] }
    expect(outcome({ request: pii, ...having({ zones: ['external'] }) })).toBe('deny')
    expect(outcome({ request: pii, entitlement: external })).toBe('deny')
    expect(outcome({ request: pii, ...having({ zones: ['internal'] }) })).toBe('permit')
  })

  it('let an agent pass low impact on within its tenant, while its whole chain is at LOW risk', () => {
    expect(decide(delegating())).toMatchObject({
      outcome: 'permit',
      policies: ['delegate-low-impact'],
    })
    expect(decide(delegating({ chain: [{ ...agent, id: 'planner' }] })).outcome).toBe('permit')
    const elsewhere = { ...agent, id: 'biller', tenant: 'billing' }
    for (const refused of [
      { request: deleting },
      { risk: risk('MEDIUM') },
      { executor: elsewhere },
      { agent: elsewhere },
    ]) {
      expect([refused, decide(delegating(refused)).outcome]).toEqual([refused, 'deny'])
    }
    expect(decide(delegating({ risk: risk('HIGH') })).policies).toEqual(['high-risk'])
  })

  const MAY: Record<string, TenantAct[]> = {
    admin: ['readLeases', 'kill', 'liftBlock', 'approve', 'readAudit'],
    responder: ['readLeases', 'kill', 'liftBlock', 'readAudit'],
    approver: ['readLeases', 'approve'],
    auditor: ['readLeases', 'readAudit'],
    stranger: [],
  }
  it.each(Object.entries(MAY))('let an operator who is %s do that in its tenants', (role, acts) => {
    for (const action of TENANT_ACTS) {
      const may = (tenants: string[], tenant: string) =>
        decide({ action, operator: operator(role, tenants), tenant, now: NOW }).outcome
      const expected = acts.includes(action) ? 'permit' : 'deny'
      expect([action, may(['support'], 'support')]).toEqual([action, expected])
      expect([action, may(['*'], 'support')]).toEqual([action, expected])
      expect([action, may(['support'], 'billing')]).toEqual([action, 'deny'])
      expect([action, may([], 'support')]).toEqual([action, 'deny'])
    }
  })

  it('leave the installation to admins of every tenant', () => {
    const may = (role: string, tenants: string[], action: 'administer' | 'sendSignal') =>
      decide({ action, operator: operator(role, tenants), now: NOW }).outcome
    expect(may('admin', ['*'], 'administer')).toBe('permit')
    expect(may('admin', ['support'], 'administer')).toBe('deny')
    expect(may('responder', ['*'], 'administer')).toBe('deny')
    expect(may('responder', ['*'], 'sendSignal')).toBe('permit')
    expect(may('auditor', ['*'], 'sendSignal')).toBe('deny')
  })
})
