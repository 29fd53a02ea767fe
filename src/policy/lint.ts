import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { Problem } from '../errors.ts'
import { IMPACTS } from '../model/intent.ts'
import { REVOCABILITIES } from '../model/lease.ts'
import { RISK_LEVELS } from '../model/risk.ts'
import { PROOFS } from '../model/task.ts'
import { needsOf } from './needs.ts'
import { SCHEMA } from './policy-set.ts'
import { wordsOf } from './prune.ts'
import type { Policy } from './slice.ts'

/**
 * What is valid and yet probably not meant, policy by policy: what can err, what never applies, what
 * is open to every tenant, what rests on text that an agent chooses.
 */
export function lintPolicies(policies: readonly Policy[]): Problem[] {
  const impossible = impossibleOf(policies)
  return policies.flatMap((policy) => {
    const messages = [
      ...(impossible.has(policy.id) ? ['never applies: its conditions exclude each other'] : []),
      ...RULES.flatMap((rule) => rule(policy)),
    ]
    return messages.map((message) => ({ path: `${policy.file}: ${policy.id}`, message }))
  })
}

const RULES: readonly ((policy: Policy) => string[])[] = [
  withoutId,
  canErr,
  comparesWithNothing,
  excludesItself,
  withoutTenant,
  liftedByApproval,
  restsOnChosenText,
]

/** Those of which the validator says that no request can meet them. */
function impossibleOf(policies: readonly Policy[]): ReadonlySet<string> {
  const staticPolicies = Object.fromEntries(policies.map(({ id, text }) => [id, text]))
  const answer = cedar.validate({ schema: SCHEMA, policies: { staticPolicies } })
  if (answer.type === 'failure') return new Set()
  const found = answer.validationWarnings.filter(({ error }) => /impossible/i.test(error.message))
  return new Set(found.map(({ policyId }) => policyId))
}

function withoutId({ json }: Policy): string[] {
  if (json.annotations?.id) return []
  return ['has no @id("…"): its name changes when a policy is put before it']
}

function canErr({ json }: Policy): string[] {
  const operators = ['+', '-', '*', 'neg'].filter((operator) => holdsKey(json.conditions, operator))
  if (operators.length === 0) return []
  const what = json.effect === 'forbid' ? 'is a forbid that can err' : 'can err'
  return [
    `${what}: arithmetic overflows for large numbers, and an error denies whatever is asked; compare with a constant instead`,
  ]
}

/** Attributes that can only have one of these values. */
const VALUES: Record<string, readonly string[]> = {
  'context.risk.level': RISK_LEVELS,
  'context.workload.proof': PROOFS,
  'resource.revocability': REVOCABILITIES,
  'context.request.impact': IMPACTS,
  'context.task.impact': IMPACTS,
}

function comparesWithNothing({ json }: Policy): string[] {
  return comparisons(json.conditions).flatMap(({ path, texts }) => {
    const values = VALUES[path]
    const wrong = values ? texts.filter((text) => !values.includes(text)) : []
    return wrong.map(
      (text) => `compares ${path} with "${text}", which it never is: ${values?.join(', ')}`,
    )
  })
}

function excludesItself({ json }: Policy): string[] {
  const { scope, conditions } = needsOf(json)
  const single = [...scope, ...conditions].filter(({ read }) => read.what === 'value')
  const clash = single.find((a) =>
    single.some(
      (b) =>
        String(a.read.path) === String(b.read.path) &&
        !a.anyOf.some((value) => b.anyOf.includes(value)),
    ),
  )
  return clash ? [`never applies: ${clash.read.path.join('.')} cannot be two things at once`] : []
}

const TENANT_WORDS = ['tenant', 'tenants', 'allTenants', 'Mayfly::Tenant']

/**
 * One agent or one entitlement is of its tenants anyway, and an act is within the task's own intent,
 * which is of its tenant.
 */
function withoutTenant({ json }: Policy): string[] {
  if (json.effect !== 'permit' || isOnlyAct(json.action)) return []
  const { principal, resource, conditions } = json
  if (principal.op === '==' || resource.op === '==') return []
  const within = [principal, resource].some(({ op, ...rest }) => op === 'in' || 'in' in rest)
  const words = wordsOf(conditions)
  if (TENANT_WORDS.some((word) => words.has(word))) return []
  if (within && wordsOf([principal, resource]).has('Mayfly::Tenant')) return []
  return [
    'permits in every tenant: add a condition such as resource.tenants.contains(principal.tenant)',
  ]
}

function isOnlyAct(action: Policy['json']['action']): boolean {
  return action.op === '==' && 'entity' in action && wordsOf(action.entity).has('act')
}

/** What is denied is asked once more as `requestCredentialWithApproval`. */
function liftedByApproval({ json }: Policy): string[] {
  if (json.effect !== 'forbid' || json.action.op === 'All') return []
  const words = wordsOf(json.action)
  if (!words.has('requestCredential') || words.has('requestCredentialWithApproval')) return []
  return ['an approval lifts it: name requestCredentialWithApproval too, unless that is meant']
}

function restsOnChosenText({ json }: Policy): string[] {
  const paths = new Set(pathsIn(json.conditions))
  return [
    ...(paths.has('context.request.actions')
      ? [
          'rests on the names of actions, which the agent chooses ("s3:Del*" is not "s3:DeleteObject"): decide by context.request.impact',
        ]
      : []),
    ...(paths.has('context.risk.reasons')
      ? ['rests on context.risk.reasons, the text of whoever sent a signal: decide by the level']
      : []),
  ]
}

/** Paths that are compared with text, anywhere in `conditions`, and the texts. */
function comparisons(conditions: unknown): { path: string; texts: string[] }[] {
  const found: { path: string; texts: string[] }[] = []
  walk(conditions, (node) => {
    for (const operator of ['==', '!=', 'contains', 'containsAny', 'containsAll']) {
      const sides = node[operator]
      if (!isNode(sides)) continue
      for (const [at, other] of [
        [sides.left, sides.right],
        [sides.right, sides.left],
      ]) {
        const path = pathOf(at)
        if (path !== undefined) found.push({ path, texts: textsOf(other) })
      }
    }
  })
  return found
}

function textsOf(node: unknown): string[] {
  if (!isNode(node)) return []
  if (typeof node.Value === 'string') return [node.Value]
  return Array.isArray(node.Set) ? node.Set.flatMap(textsOf) : []
}

function pathsIn(conditions: unknown): string[] {
  const found: string[] = []
  walk(conditions, (node) => {
    const path = pathOf(node)
    if (path !== undefined) found.push(path)
  })
  return found
}

function pathOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined
  if (typeof node.Var === 'string') return node.Var
  const step = node['.']
  const before = isNode(step) ? pathOf(step.left) : undefined
  return isNode(step) && before !== undefined ? `${before}.${String(step.attr)}` : undefined
}

function holdsKey(value: unknown, key: string): boolean {
  let found = false
  walk(value, (node) => {
    found ||= Object.hasOwn(node, key)
  })
  return found
}

type Node = Record<string, unknown>

/** Every object of Cedar's JSON form, from the outside in. */
function walk(value: unknown, visit: (node: Node) => void): void {
  if (typeof value !== 'object' || value === null) return
  if (isNode(value)) visit(value)
  for (const inner of Object.values(value)) walk(inner, visit)
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
