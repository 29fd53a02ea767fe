import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { authorize } from '../../src/policy/authorize.ts'
import { type PolicySet, parsePolicySet } from '../../src/policy/policy-set.ts'
import { type CedarRequest, cedarRequest, withApproval } from '../../src/policy/request.ts'
import { credential, NOW } from './fixture.ts'

const TENANTS = ['support', 'billing', 'research']
const ENTITLEMENTS = ['tickets', 'invoices', 'papers', 'mail']

describe('the slice of a policy set that a request is decided by', () => {
  it('P3: decides every request as the whole set does, errors included', () => {
    let sliced = 0
    const outcomes = new Set<string>()
    const property = fc.property(
      policyTexts,
      fc.array(requests, { minLength: 6 }),
      (texts, all) => {
        const set = setOf(texts)
        const ask = wholeEngine(set)
        for (const request of all) {
          const expected = ask(request)
          const { allowed, failed, policies } = authorize(set, request)
          expect({ allowed, failed, policies }).toEqual(expected)
          outcomes.add(`${allowed} ${failed}`)
          if (set.slice(request).policies.length < applicable(set, request)) sliced += 1
        }
      },
    )
    fc.assert(property, { numRuns: 40, endOnFailure: true })
    expect(outcomes).toEqual(new Set(['true false', 'false false', 'false true']))
    expect(sliced).toBeGreaterThan(100)
  })

  it('P3: is the whole set where something that a condition looks at is missing', () => {
    const set = setOf(manyTenants(100))
    const request = cedarRequest(credential())
    expect(set.slice(request).policies.length).toBeLessThan(20)
    const { risk, ...context } = request.context
    expect(risk).toBeDefined()
    const without = { ...request, context }
    expect(set.slice(without).policies).toHaveLength(set.policies.length)
    expect(authorize(set, without)).toMatchObject({ allowed: false, failed: true })
  })

  it('holds as few policies of 1,000 as of 10', () => {
    const asked = cedarRequest(credential())
    for (const tenants of [20, 500]) {
      const set = setOf(manyTenants(tenants))
      expect(set.policies).toHaveLength(2 * tenants + 2)
      expect(idsOf(set, asked)).toEqual(['high-risk', 't0-read', 't0-short'])
      expect(idsOf(set, withApproval(asked))).toEqual(['high-risk'])
      expect(authorize(set, asked)).toMatchObject({ allowed: true, policies: ['t0-read'] })
    }
  })

  it('is the same one for equal sets, whatever their order and layout', () => {
    const texts = manyTenants(40)
    const request = cedarRequest(credential())
    const other = setOf(texts.toReversed().map((text) => `// again\n${text}`))
    expect(other.slice(request).id).toBe(setOf(texts).slice(request).id)
  })

  it('stays right when more slices are in use than the engine may hold', () => {
    const tenants = 1_500
    const set = setOf(manyTenants(tenants))
    for (const round of [0, 1]) {
      for (let n = 0; n < tenants; n += 1) {
        const tenant = n === 0 ? 'support' : `tenant-${n}`
        const base = credential({ task: { ...credential().task, ageSeconds: round } })
        const request = cedarRequest({
          ...base,
          agent: { ...base.agent, tenant },
          entitlement: { ...base.entitlement, tenants: [tenant] },
        })
        expect(authorize(set, request).policies).toEqual([`t${n}-read`])
      }
    }
  })
})

/** Two policies for each of many tenants, the first being `support`, and two for all of them. */
function manyTenants(count: number): string[] {
  const own = Array.from({ length: count }, (_, n) => {
    const tenant = `Mayfly::Tenant::"${n === 0 ? 'support' : `tenant-${n}`}"`
    return `@id("t${n}-read") permit(principal is Mayfly::Agent,
        action == Mayfly::Action::"requestCredential", resource)
      when { resource.tenants.contains(principal.tenant) && context.risk.level == "LOW" &&
             principal.tenant == ${tenant} && context.request.impact.isEmpty() };
      @id("t${n}-short") forbid(principal, action == Mayfly::Action::"requestCredential", resource)
      when { resource.tenants.contains(${tenant}) && context.request.ttlSeconds > 3600 };`
  })
  return [
    ...own,
    `@id("high-risk") forbid(principal, action in [Mayfly::Action::"requestCredential",
       Mayfly::Action::"requestCredentialWithApproval"], resource)
     unless { ["LOW", "MEDIUM"].contains(context.risk.level) };
     @id("readers") permit(principal in Mayfly::Role::"auditor",
       action == Mayfly::Action::"readLeases", resource is Mayfly::Tenant);`,
  ]
}

function idsOf(set: PolicySet, request: CedarRequest): string[] {
  return set.slice(request).policies.map(({ id }) => id)
}

function setOf(texts: readonly string[]): PolicySet {
  const set = parsePolicySet(texts.map((text, n) => ({ name: `${n}.cedar`, text })))
  if (!('hash' in set)) throw new Error(JSON.stringify(set))
  return set
}

/** What the engine makes of a whole request and the whole set, read as `authorize` does. */
function wholeEngine(set: PolicySet) {
  const staticPolicies = Object.fromEntries(set.policies.map(({ id, text }) => [id, text]))
  expect(cedar.preparsePolicySet('whole', { staticPolicies }).type).toBe('success')
  return (request: CedarRequest) => {
    const answer = cedar.statefulIsAuthorized({ ...request, preparsedPolicySetId: 'whole' })
    if (answer.type !== 'success') throw new Error(JSON.stringify(answer.errors))
    const { decision, diagnostics } = answer.response
    const failed = diagnostics.errors.length > 0
    const named = failed ? diagnostics.errors.map((e) => e.policyId) : diagnostics.reason
    return { allowed: !failed && decision === 'allow', failed, policies: named.toSorted() }
  }
}

/** How many a slice by action alone would hold. */
function applicable({ policies }: PolicySet, { action }: CedarRequest): number {
  return policies.filter(({ text }) => !text.includes('action ') || text.includes(`"${action.id}"`))
    .length
}

// Policies: scopes and conditions of many kinds, some of which err --------------------------------

const tenantName = fc.constantFrom(...TENANTS).map((name) => `Mayfly::Tenant::"${name}"`)
const entitlementName = fc
  .constantFrom(...ENTITLEMENTS)
  .map((name) => `Mayfly::Entitlement::"${name}"`)
const agentName = fc.constantFrom('reader', 'writer').map((name) => `Mayfly::Agent::"${name}"`)
const ASK = 'Mayfly::Action::"requestCredential"'
const APPROVED = 'Mayfly::Action::"requestCredentialWithApproval"'

const principalScope = fc.oneof(
  fc.constant('principal'),
  fc.constant('principal is Mayfly::Agent'),
  agentName.map((name) => `principal == ${name}`),
  tenantName.map((name) => `principal in ${name}`),
  tenantName.map((name) => `principal is Mayfly::Agent in ${name}`),
)
const resourceScope = fc.oneof(
  fc.constant('resource'),
  fc.constant('resource is Mayfly::Entitlement'),
  entitlementName.map((name) => `resource == ${name}`),
)
const actionScope = fc.constantFrom(
  `action == ${ASK}`,
  `action == ${APPROVED}`,
  `action in [${ASK}, ${APPROVED}]`,
)
const level = fc.constantFrom('LOW', 'MEDIUM', 'HIGH').map((l) => `"${l}"`)
const condition = fc.oneof(
  tenantName.map((name) => `principal.tenant == ${name}`),
  tenantName.map((name) => `${name} == principal.tenant`),
  tenantName.map((name) => `resource.tenants.contains(${name})`),
  entitlementName.map((name) => `resource == ${name}`),
  tenantName.map((name) => `principal in ${name}`),
  level.map((l) => `context.risk.level == ${l}`),
  level.map((l) => `context.risk.level != ${l}`),
  level.map((l) => `!(context.risk.level == ${l})`),
  fc.tuple(level, level).map(([a, b]) => `[${a}, ${b}].contains(context.risk.level)`),
  fc
    .tuple(tenantName, level)
    .map(([t, l]) => `(principal.tenant == ${t} || context.risk.level == ${l})`),
  fc.constantFrom(
    'resource.tenants.contains(principal.tenant)',
    'context.request.impact.isEmpty()',
    'context.request.impact.contains("bulk-read")',
    'context.workload.proof == "bound"',
    '["bound", "key"].contains(context.workload.proof)',
    'resource.zone == Mayfly::Zone::"external"',
    'context.task.zones.contains(Mayfly::Zone::"external")',
    'resource is Mayfly::Entitlement',
    'context.now.hour == 12',
    'context.workload.hasTag("pod")',
    'context.workload.hasTag("pod") && context.workload.getTag("pod") == "good"',
    // Err for some requests.
    'context.request.ttlSeconds * 9223372036854775807 > 3',
    'context.task.ageSeconds + 9223372036854775807 > 3',
    'if context.risk.level == "LOW" then true else context.request.ttlSeconds * 9223372036854775807 > 3',
  ),
)
const clause = fc
  .tuple(
    fc.constantFrom('when', 'when', 'when', 'unless'),
    fc.array(condition, { minLength: 1, maxLength: 4 }),
  )
  .map(([word, parts]) => `${word} { ${parts.map((part) => `(${part})`).join(' && ')} }`)

const policyText = fc
  .tuple(
    fc.constantFrom('permit', 'permit', 'forbid'),
    principalScope,
    actionScope,
    resourceScope,
    fc.array(clause, { maxLength: 2 }),
  )
  .map(([effect, p, a, r, clauses]) => `${effect}(${p}, ${a}, ${r}) ${clauses.join(' ')};`)
const policyTexts = fc.array(policyText, { minLength: 35, maxLength: 90 })

// Requests -----------------------------------------------------------------------------------------

const requests = fc
  .record({
    id: fc.constantFrom('reader', 'writer', 'other'),
    tenant: fc.constantFrom(...TENANTS, 'nobody'),
    entitlement: fc.constantFrom(...ENTITLEMENTS, 'other'),
    tenants: fc.subarray(TENANTS),
    level: fc.constantFrom('LOW', 'MEDIUM', 'HIGH'),
    proof: fc.constantFrom('bearer', 'bound', 'key'),
    claims: fc.constantFrom<Record<string, string>>({}, { pod: 'good' }, { pod: 'bad' }),
    zone: fc.constantFrom('internal', 'external'),
    zones: fc.subarray(['internal', 'external']),
    impact: fc.subarray(['bulk-read', 'destructive-write']),
    seconds: fc.constantFrom(0, 1, 2, 300),
    hour: fc.constantFrom(0, 1),
    approved: fc.boolean(),
  })
  .map((f): CedarRequest => {
    const base = credential()
    const request = cedarRequest({
      ...base,
      agent: { ...base.agent, id: f.id, tenant: f.tenant },
      workload: { ...base.workload, proof: f.proof, claims: f.claims },
      entitlement: { ...base.entitlement, id: f.entitlement, tenants: f.tenants, zone: f.zone },
      task: { ...base.task, zones: f.zones, ageSeconds: f.seconds },
      risk: { level: f.level, reasons: [] },
      request: { ...base.request, impact: f.impact, ttlSeconds: f.seconds },
      now: NOW + f.hour * 3_600_000,
    })
    return f.approved ? withApproval(request) : request
  })
