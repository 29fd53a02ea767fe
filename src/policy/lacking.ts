import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import { type ReadFacts, readerOf } from './facts.ts'
import { flattened, type Need, needsOf } from './needs.ts'
import type { PolicyQuestion } from './question.ts'
import { type CedarRequest, cedarRequest, withApproval } from './request.ts'
import type { Policy } from './slice.ts'

/** A policy that would permit a request if these conditions of it held as well. */
export interface Lacking {
  readonly policy: Policy
  /** In Cedar's own words, at least one. */
  readonly conditions: readonly string[]
  /** What it would make of the request. */
  readonly outcome: 'permit' | 'needs-approval'
}

/** So many policies are looked into, those that seem closest, so that an answer takes no second. */
const MAX_TRIED = 12
const MAX_ANSWERED = 3

/** As a question is decided: a credential is asked for as it is, then as an approval would allow it. */
export function lackingFor(policies: readonly Policy[], question: PolicyQuestion): Lacking[] {
  const request = cedarRequest(question)
  const alone = lackingOf(policies, request)
  if (question.action !== 'requestCredential') return alone.map(as('permit'))
  const named = new Set(alone.map(({ policy }) => policy.id))
  const approved = lackingOf(policies, withApproval(request))
  return [
    ...alone.map(as('permit')),
    ...approved.filter(({ policy }) => !named.has(policy.id)).map(as('needs-approval')),
  ]
}

function as(outcome: Lacking['outcome']) {
  return (lacking: Omit<Lacking, 'outcome'>): Lacking => ({ ...lacking, outcome })
}

/**
 * The permits for this action that come closest, each with those of its conditions that do not hold
 * when every one is asked by itself. For people: no decision rests on it.
 */
function lackingOf(policies: readonly Policy[], request: CedarRequest): Omit<Lacking, 'outcome'>[] {
  const facts = readerOf(request)
  return policies
    .filter(({ json }) => json.effect === 'permit')
    .map((policy) => ({ policy, ...unmet(policy, facts) }))
    .filter(({ elsewhere }) => !elsewhere)
    .toSorted((a, b) => a.count - b.count)
    .slice(0, MAX_TRIED)
    .map(({ policy }) => ({ policy, conditions: failing(policy, request, facts) }))
    .filter(({ conditions }) => conditions.length > 0)
    .toSorted((a, b) => a.conditions.length - b.conditions.length)
    .slice(0, MAX_ANSWERED)
}

/** What it needs and is not there; `elsewhere` if it is about another action, thing or tenant. */
function unmet({ json }: Policy, facts: ReadFacts) {
  const { scope, conditions } = needsOf(json)
  const missing = [...scope, ...conditions].filter((need) => !holds(need, facts))
  return { count: missing.length, elsewhere: missing.some(isElsewhere) }
}

function isElsewhere({ read: { what, path }, anyOf }: Need): boolean {
  return (
    what === 'type' ||
    path[0] === 'action' ||
    anyOf.some((key) => key.startsWith('Mayfly::Tenant::'))
  )
}

function holds({ read, anyOf }: Need, facts: ReadFacts): boolean {
  return facts(read)?.some((value) => anyOf.includes(value)) ?? false
}

function failing({ json }: Policy, request: CedarRequest, facts: ReadFacts): string[] {
  const scope = needsOf(json).scope.filter((need) => !holds(need, facts))
  const conditions = json.conditions.flatMap(({ kind, body }) =>
    kind === 'when' ? [...flattened(body)] : [{ '!': { arg: body } }],
  )
  return [
    ...scope.map(({ read, anyOf }) => `${read.path.join('.')} is or is in ${anyOf.join(' or ')}`),
    ...conditions.flatMap((condition) => {
      const alone = permitWhen(condition)
      return isMet(alone, request) ? [] : [textOf(alone)]
    }),
  ]
}

function permitWhen(body: cedar.Expr): cedar.PolicyJson {
  return {
    effect: 'permit',
    principal: { op: 'All' },
    action: { op: 'All' },
    resource: { op: 'All' },
    conditions: [{ kind: 'when', body }],
  }
}

function isMet(policy: cedar.PolicyJson, request: CedarRequest): boolean {
  const answer = cedar.isAuthorized({ ...request, policies: { staticPolicies: { alone: policy } } })
  return answer.type === 'success' && answer.response.decision === 'allow'
}

function textOf(policy: cedar.PolicyJson): string {
  const written = cedar.policyToText(policy)
  const text = written.type === 'success' ? written.text : ''
  return text.replace(/^.*?when \{ /s, '').replace(/ \};$/s, '')
}
