import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { authorize } from '../../src/policy/authorize.ts'
import { loadPolicies } from '../../src/policy/engine.ts'
import { parsePolicySet, SCHEMA } from '../../src/policy/policy-set.ts'
import type { PolicyQuestion } from '../../src/policy/question.ts'
import { type CedarRequest, cedarRequest, withApproval } from '../../src/policy/request.ts'
import {
  credential,
  engineOf,
  NOW,
  opening,
  operator,
  SYSTEM_ACTS,
  starterFiles,
  TENANT_ACTS,
} from './fixture.ts'

const PERMIT = '@id("all") permit(principal, action, resource);'
/** Overflows for the depths the tests use, so its condition cannot be evaluated. */
const FORBID_THAT_ERRORS = `@id("broken") forbid(principal, action == Mayfly::Action::"openTask", resource)
  when { context.depth * 9223372036854775807 > 3 };`

describe('P3: a decision', () => {
  it('permits what a policy permits, and names it', () => {
    expect(engineOf(PERMIT).decide(credential())).toEqual({
      outcome: 'permit',
      policies: ['all'],
      rails: [],
      policyHash: engineOf(PERMIT).hash,
      reasons: ['permitted by policy "all"'],
      question: credential(),
    })
  })

  it('denies everything under an empty set', () => {
    const { decide } = engineOf('// nothing')
    for (const question of everyKindOfQuestion()) {
      expect(decide(question)).toMatchObject({ outcome: 'deny', policies: [] })
    }
  })

  it('denies when a forbid cannot be evaluated, although a permit matches', () => {
    const { decide } = engineOf(PERMIT, FORBID_THAT_ERRORS)
    expect(decide(opening({ depth: 0 })).outcome).toBe('permit')
    expect(decide(opening({ depth: 2 }))).toMatchObject({ outcome: 'deny', policies: ['broken'] })
  })

  it('denies when a permit cannot be evaluated, although another matches', () => {
    const broken = FORBID_THAT_ERRORS.replace('forbid', 'permit')
    expect(engineOf(PERMIT, broken).decide(opening({ depth: 2 })).outcome).toBe('deny')
  })

  it('denies what the engine itself does not accept', () => {
    const { decide } = engineOf(PERMIT)
    expect(decide(opening({ depth: Number.NaN }))).toMatchObject({ outcome: 'deny', policies: [] })
    expect(decide(opening({ ttlSeconds: Number.POSITIVE_INFINITY })).outcome).toBe('deny')
    expect(decide(opening({ ttlSeconds: 2 ** 70 })).outcome).toBe('deny')
  })

  it('denies when the principal, the resource or an entity they refer to is not given', () => {
    const set = parsePolicySet([{ name: 'a', text: PERMIT }])
    if (!('hash' in set)) throw new Error('the policy is not valid')
    const whole = cedarRequest(credential({ chain: [{ id: 'planner', tenant: 't', owner: 'o' }] }))
    expect(authorize(set, whole).allowed).toBe(true)
    expect(whole.entities).toHaveLength(4)
    for (const left of whole.entities) {
      const without = { ...whole, entities: whole.entities.filter((each) => each !== left) }
      expect(authorize(set, without)).toMatchObject({ allowed: false, failed: true, policies: [] })
    }
  })

  it('is made anew where anything that a policy looks at is different, and only there', () => {
    const { decide } = engineOf(`permit(principal, action, resource)
      when { context.now == { hour: 12, weekday: 5 } };
      forbid(principal, action == Mayfly::Action::"openTask", resource)
      when { context.workload.hasTag("pod") && context.workload.getTag("pod") == "bad" };`)
    const pod = (name: string) => ({ ...opening().workload, claims: { pod: name } })
    for (let round = 0; round < 2; round++) {
      expect(decide(opening({ ttlSeconds: 5 })).outcome).toBe('permit')
      expect(decide(opening({ now: NOW + 3_600_000 })).outcome).toBe('deny')
      expect(decide(opening({ now: NOW + 86_400_000 })).outcome).toBe('deny')
      expect(decide(opening({ workload: pod('good') })).outcome).toBe('permit')
      expect(decide(opening({ workload: pod('bad') })).outcome).toBe('deny')
    }
  })

  it('is the same as the engine makes of the whole request', () => {
    const sources = starterFiles()
    const set = parsePolicySet(sources)
    if (!('hash' in set)) throw new Error('the starter set is not valid')
    const staticPolicies = Object.fromEntries(set.policies.map(({ id, text }) => [id, text]))
    const zones = fc.subarray(['internal', 'external', 'restricted'])
    const facts = fc.record({
      tenant: fc.constantFrom('support', 'billing'),
      tenants: fc.subarray(['support', 'billing']),
      level: fc.constantFrom('LOW', 'MEDIUM', 'HIGH'),
      proof: fc.constantFrom('bearer', 'bound', 'key'),
      zone: fc.constantFrom('internal', 'external', 'restricted'),
      zones,
      datasets: fc.subarray(['restricted', 'pii']),
      impact: fc.subarray(['bulk-read', 'destructive-write']),
    })
    fc.assert(
      fc.property(facts, (f) => {
        const base = credential()
        const request = cedarRequest({
          ...base,
          agent: { ...base.agent, tenant: f.tenant },
          workload: { ...base.workload, proof: f.proof },
          entitlement: { ...base.entitlement, tenants: f.tenants, zone: f.zone },
          task: { ...base.task, zones: f.zones, datasets: f.datasets },
          risk: { level: f.level, reasons: [] },
          request: { ...base.request, datasets: f.datasets, impact: f.impact },
        })
        for (const each of [request, withApproval(request)]) {
          const whole = cedar.isAuthorized({ ...each, policies: { staticPolicies } })
          if (whole.type !== 'success') throw new Error('the engine failed')
          const { allowed, policies } = authorize(set, each)
          expect({ allowed, policies }).toEqual({
            allowed: whole.response.decision === 'allow',
            policies: whole.response.diagnostics.reason.toSorted(),
          })
        }
      }),
      { numRuns: 150 },
    )
  })

  it('asks for an approval only where nothing permits and nothing is in doubt', () => {
    const approvable = `@id("ask") permit(principal,
      action == Mayfly::Action::"requestCredentialWithApproval", resource);`
    const forbidden = `@id("no") forbid(principal,
      action == Mayfly::Action::"requestCredentialWithApproval", resource);`
    expect(engineOf(approvable).decide(credential())).toMatchObject({
      outcome: 'needs-approval',
      policies: ['ask'],
    })
    expect(engineOf(approvable, PERMIT).decide(credential()).outcome).toBe('permit')
    expect(engineOf(approvable, forbidden).decide(credential())).toMatchObject({
      outcome: 'deny',
      policies: ['no'],
    })
    const doubtful = `@id("broken") forbid(principal,
      action == Mayfly::Action::"requestCredential", resource)
      when { context.request.ttlSeconds * 9223372036854775807 > 3 };`
    expect(engineOf(approvable, doubtful).decide(credential()).outcome).toBe('deny')
  })

  it('sees hour and weekday in UTC, Monday as 1', () => {
    const at = (hour: number, weekday: number) =>
      engineOf(
        `permit(principal, action, resource)
         when { context.now.hour == ${hour} && context.now.weekday == ${weekday} };`,
      )
    expect(at(12, 5).decide(opening()).outcome).toBe('permit')
    const sunday = opening({ now: Date.UTC(2027, 0, 17, 23, 59) })
    expect(at(23, 7).decide(sunday).outcome).toBe('permit')
  })

  it('sees the workload’s claims as tags', () => {
    const { decide } = engineOf(`permit(principal, action == Mayfly::Action::"openTask", resource)
      when { context.workload.hasTag("kubernetes.io/namespace") &&
             context.workload.getTag("kubernetes.io/namespace") == "agents" };`)
    expect(decide(opening()).outcome).toBe('permit')
    const elsewhere = { ...opening().workload, claims: {} }
    expect(decide(opening({ workload: elsewhere })).outcome).toBe('deny')
  })
})

describe('loading a policy set', () => {
  it('P16: reports every problem of every file at once, with file and policy', () => {
    const load = loadPolicies([
      { name: 'a.cedar', text: '@id("x") permit(principal, action, resource);' },
      { name: 'b.cedar', text: '@id("x") permit(principal, action, resource);' },
      { name: 'c.cedar', text: '\n\npermit(principal, action' },
      { name: 'd.cedar', text: 'permit(principal == ?principal, action, resource);' },
      {
        name: 'e.cedar',
        text: `permit(principal, action, resource) when { context.now.hour == 1 };
               permit(principal, action, resource) when { context.nope == 1 };`,
      },
    ])
    if (load.ok) throw new Error('it was loaded')
    expect(load.problems.map(({ path }) => path).toSorted()).toEqual([
      'b.cedar: x',
      'c.cedar:3',
      'd.cedar',
      'e.cedar: e.cedar#2',
    ])
    expect(load.problems.map(({ message }) => message).join('\n')).toMatch(/taken by a\.cedar/)
  })

  it('names policies by @id, or by file and place even past ten', () => {
    const many = Array.from(
      { length: 12 },
      (_, n) => `permit(principal, action, resource) when { context.now.hour == ${n} };`,
    )
    const { decide } = engineOf(many.join('\n'))
    expect(decide(opening({ now: Date.UTC(2027, 0, 1, 11) })).policies).toEqual(['file0.cedar#12'])
    expect(decide(opening({ now: Date.UTC(2027, 0, 1, 2) })).policies).toEqual(['file0.cedar#3'])
  })

  it('gives one hash to one set, whatever its layout, and another to any change', () => {
    const hash = engineOf('@id("a") permit(principal, action, resource);').hash
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
    expect(
      engineOf('// why\n@id("a")\npermit (principal,\n action, resource\n);', '// empty').hash,
    ).toBe(hash)
    expect(engineOf('@id("b") permit(principal, action, resource);').hash).not.toBe(hash)
    expect(engineOf('@id("a") forbid(principal, action, resource);').hash).not.toBe(hash)
  })

  it('keeps every engine right, however many are loaded and used in turn', () => {
    const at = (hour: number) =>
      `permit(principal, action, resource) when { context.now.hour == ${hour} };`
    const engines = [9, 10, 11, 12].map((hour) => engineOf(at(hour)))
    for (let round = 0; round < 3; round++) {
      for (const [n, { decide }] of engines.entries()) {
        expect(decide(opening()).outcome).toBe(n === 3 ? 'permit' : 'deny')
      }
    }
  })

  it('leaves the set in force alone when a new one is refused', () => {
    const { decide } = engineOf(PERMIT)
    for (let n = 0; n < 3; n++) loadPolicies([{ name: 'bad', text: 'permit(' }])
    expect(decide(opening()).outcome).toBe('permit')
  })
})

describe('every request that is built', () => {
  it('is valid against the schema, whatever the facts say', () => {
    expect(cedar.preparseSchema('schema', SCHEMA).type).toBe('success')
    const text = fc.string({ unit: 'binary', maxLength: 12 }).filter((t) => t.isWellFormed())
    const strings = fc.array(text, { maxLength: 3 })
    const facts = fc.record({
      id: text,
      tenant: text,
      tenants: strings,
      zones: strings,
      labels: strings,
      seconds: fc.double({ min: 0, max: 1e9, noNaN: true }),
      claims: fc.dictionary(text, text, { maxKeys: 3 }),
      now: fc.integer({ min: 0, max: NOW * 2 }),
    })
    fc.assert(
      fc.property(facts, (f) => {
        const agent = { id: f.id, tenant: f.tenant, owner: f.id, labels: f.labels }
        const workload = { name: f.id, issuer: f.tenant, proof: 'key', claims: f.claims } as const
        const task = { ...credential().task, zones: f.zones, ageSeconds: f.seconds }
        const entitlement = { ...credential().entitlement, tenants: f.tenants, labels: f.labels }
        const chain = [{ id: 'planner', tenant: 't', owner: 'o' }]
        const risk = { level: 'MEDIUM', reasons: f.labels } as const
        const common = { agent, workload, risk, now: f.now }
        mustBeValid(cedarRequest(opening({ ...common, ttlSeconds: f.seconds })))
        const asked = cedarRequest(credential({ ...common, task, entitlement, chain }))
        mustBeValid(asked)
        mustBeValid(withApproval(asked))
      }),
      { numRuns: 200 },
    )
    for (const question of everyKindOfQuestion()) mustBeValid(cedarRequest(question))
  })
})

function everyKindOfQuestion(): PolicyQuestion[] {
  const who = { operator: operator('admin', ['support', '*']), now: NOW }
  return [
    opening(),
    credential(),
    ...TENANT_ACTS.map((action) => ({ action, tenant: 'support', ...who })),
    ...SYSTEM_ACTS.map((action) => ({ action, ...who })),
  ]
}

function mustBeValid(request: CedarRequest): void {
  const set = { staticPolicies: { all: PERMIT } }
  expect(cedar.preparsePolicySet('schema-test', set).type).toBe('success')
  const answer = cedar.statefulIsAuthorized({
    ...request,
    preparsedPolicySetId: 'schema-test',
    preparsedSchemaName: 'schema',
    validateRequest: true,
  })
  expect(answer).toMatchObject({ type: 'success', response: { decision: 'allow' } })
}
