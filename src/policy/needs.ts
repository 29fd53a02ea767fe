import type { Expr, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { entityKey, keyOf, type Read } from './facts.ts'

/** A policy applies only to requests in which `read` finds at least one of these. */
export interface Need {
  readonly read: Read
  readonly anyOf: readonly string[]
}

/** What is known of when a policy can apply, without evaluating it. */
export interface Needs {
  /** Of the scope (`principal`, `action`, `resource`): looking it up never fails. */
  readonly scope: readonly Need[]
  /** Of the first conditions, as far as they cannot err before the last of these. */
  readonly conditions: readonly Need[]
  /** What those conditions look at: if one of these cannot be read, nothing is known of them. */
  readonly reads: readonly Read[]
}

/**
 * Reads a policy for what it needs. The engine evaluates the scope, then the conditions from left
 * to right, and stops at the first that is false: a later one then neither matters nor errs. So the
 * conditions are read as long as each is either a need or cannot err; in doubt reading stops, and
 * the policy counts as one that may always apply.
 */
export function needsOf(policy: PolicyJson): Needs {
  const conditions: Need[] = []
  const reads: Read[] = []
  for (const condition of conjunctsOf(policy)) {
    const need = condition && needOf(condition)
    const looked = need ? [need.read] : condition && harmless(condition)
    if (!looked) break
    reads.push(...looked)
    if (need) conditions.push(need)
  }
  return { scope: scopeOf(policy), conditions, reads }
}

function scopeOf({ principal, action, resource }: PolicyJson): Need[] {
  return [
    ...constraintOf(['action'], action),
    ...constraintOf(['principal'], principal),
    ...constraintOf(['resource'], resource),
  ]
}

function constraintOf(
  path: string[],
  constraint: PolicyJson['principal'] | PolicyJson['action'],
): Need[] {
  const lineage = { what: 'lineage', path } as const
  switch (constraint.op) {
    case 'All':
      return []
    case '==':
      if (!('entity' in constraint)) return []
      return [{ read: { what: 'value', path }, anyOf: [entityKey(constraint.entity)] }]
    case 'in':
      if ('entities' in constraint) {
        return [{ read: lineage, anyOf: constraint.entities.map(entityKey) }]
      }
      return 'entity' in constraint
        ? [{ read: lineage, anyOf: [entityKey(constraint.entity)] }]
        : []
    case 'is': {
      const type: Need = { read: { what: 'type', path }, anyOf: [constraint.entity_type] }
      const within = constraint.in
      if (!within || !('entity' in within)) return [type]
      return [type, { read: lineage, anyOf: [entityKey(within.entity)] }]
    }
  }
}

/** The conditions in the order of evaluation; undefined for one that is not looked into. */
function* conjunctsOf({ conditions }: PolicyJson): Generator<Expr | undefined> {
  for (const { kind, body } of conditions) {
    if (kind === 'when') yield* flattened(body)
    else yield undefined
  }
}

/** The sides of `a && b && c`, in order. */
export function* flattened(expr: Expr): Generator<Expr> {
  const both = operands(expr, '&&')
  if (!both) return yield expr
  yield* flattened(both.left)
  yield* flattened(both.right)
}

/** `a.b == "x"`, `a.b.contains("x")`, `["x", "y"].contains(a.b)`, `a is T`, `a in T::"x"`. */
function needOf(expr: Expr): Need | undefined {
  const equal = operands(expr, '==')
  if (equal) {
    return (
      need('value', equal.left, literal(equal.right)) ??
      need('value', equal.right, literal(equal.left))
    )
  }
  const contains = operands(expr, 'contains')
  if (contains) {
    return (
      need('set', contains.left, literal(contains.right)) ??
      need('value', contains.right, literals(contains.left))
    )
  }
  const within = operands(expr, 'in')
  if (within) return need('lineage', within.left, literal(within.right))
  if ('is' in expr && isOperation(expr.is) && !('in' in expr.is)) {
    return need('type', expr.is.left, [String(expr.is.entity_type)])
  }
  return undefined
}

function need(what: Read['what'], at: Expr, anyOf: string[] | undefined): Need | undefined {
  const path = pathOf(at)
  return path && anyOf && { read: { what, path }, anyOf }
}

/** What a condition looks at, if that being there is enough for it not to err; else undefined. */
function harmless(expr: Expr): Read[] | undefined {
  for (const operator of ['&&', '||'] as const) {
    const sides = operands(expr, operator)
    if (sides) return both(harmless(sides.left), harmless(sides.right))
  }
  for (const operator of ['==', '!='] as const) {
    const sides = operands(expr, operator)
    if (sides) return both(present(sides.left), present(sides.right))
  }
  if ('!' in expr && hasArgument(expr['!'])) return harmless(expr['!'].arg)
  if ('isEmpty' in expr && hasArgument(expr.isEmpty)) return set(expr.isEmpty.arg)
  const contains = operands(expr, 'contains')
  return contains && both(set(contains.left), present(contains.right))
}

function present(expr: Expr): Read[] | undefined {
  if (literal(expr) ?? literals(expr)) return []
  const path = pathOf(expr)
  return path && [{ what: 'present', path }]
}

function set(expr: Expr): Read[] | undefined {
  if (literals(expr)) return []
  const path = pathOf(expr)
  return path && [{ what: 'set', path }]
}

function both(left: Read[] | undefined, right: Read[] | undefined): Read[] | undefined {
  return left && right && [...left, ...right]
}

/** `principal.tenant` as its steps; undefined for what is not a plain path. */
function pathOf(expr: Expr): string[] | undefined {
  if ('Var' in expr) return [String(expr.Var)]
  if (!('.' in expr) || !isOperation(expr['.'])) return undefined
  const before = pathOf(expr['.'].left)
  return before && [...before, String(expr['.'].attr)]
}

function literal(expr: Expr): string[] | undefined {
  const key = 'Value' in expr ? keyOf(expr.Value) : undefined
  return key === undefined ? undefined : [key]
}

function literals(expr: Expr): string[] | undefined {
  if (!('Set' in expr) || !Array.isArray(expr.Set)) return undefined
  const keys = expr.Set.flatMap((each) => literal(each) ?? [])
  return keys.length === expr.Set.length ? keys : undefined
}

type Operands = { readonly left: Expr; readonly right: Expr }

function operands(expr: Expr, operator: string): Operands | undefined {
  const found: unknown = Object.hasOwn(expr, operator) ? Reflect.get(expr, operator) : undefined
  return isOperation(found) && 'right' in found ? (found as Operands) : undefined // Cedar's form
}

function isOperation(
  value: unknown,
): value is { left: Expr; attr?: unknown; entity_type?: unknown } {
  return typeof value === 'object' && value !== null && 'left' in value
}

function hasArgument(value: unknown): value is { arg: Expr } {
  return typeof value === 'object' && value !== null && 'arg' in value
}
