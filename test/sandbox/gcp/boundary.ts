import { rolePermits } from './roles.ts'

/** What a request to Cloud Storage touches, in the terms IAM conditions see. */
export interface StorageAccess {
  readonly permission: string
  readonly bucket: string
  /** Absent for requests on the bucket itself, listings included. */
  readonly object?: string
  /** The `prefix` parameter of a listing. */
  readonly listPrefix?: string
}

export interface BoundaryRule {
  readonly bucket: string
  readonly roles: readonly string[]
  readonly condition: readonly Clause[] | null
}

type Clause = { readonly kind: 'name-starts' | 'name-is' | 'list-starts'; readonly text: string }

const RULE_LIMIT = 10
const RESOURCE = /^\/\/storage\.googleapis\.com\/projects\/_\/buckets\/([a-z0-9._-]{3,222})$/
const CLAUSES: readonly { kind: Clause['kind']; form: RegExp }[] = [
  { kind: 'name-starts', form: /^resource\.name\.startsWith\('((?:[^'\\]|\\.)*)'\)/ },
  { kind: 'name-is', form: /^resource\.name == '((?:[^'\\]|\\.)*)'/ },
  {
    kind: 'list-starts',
    form: /^api\.getAttribute\('storage\.googleapis\.com\/objectListPrefix', ?''\)\.startsWith\('((?:[^'\\]|\\.)*)'\)/,
  },
]

/** Reads the `options` of an exchange; a text instead of rules says what is wrong with it. */
export function parseBoundary(options: unknown): readonly BoundaryRule[] | string {
  const rules = field(field(options, 'accessBoundary'), 'accessBoundaryRules')
  if (!Array.isArray(rules) || rules.length === 0) return 'accessBoundaryRules must not be empty'
  if (rules.length > RULE_LIMIT) return `at most ${RULE_LIMIT} access boundary rules`
  const parsed: BoundaryRule[] = []
  for (const rule of rules) {
    const result = parseRule(rule)
    if (typeof result === 'string') return result
    parsed.push(result)
  }
  return parsed
}

/** The union of the rules, as Google documents it. */
export function boundaryPermits(rules: readonly BoundaryRule[], access: StorageAccess): boolean {
  return rules.some(
    (rule) =>
      rule.bucket === access.bucket &&
      rule.roles.some((role) => rolePermits(role, access.permission)) &&
      (rule.condition === null || rule.condition.some((clause) => holds(clause, access))),
  )
}

function parseRule(rule: unknown): BoundaryRule | string {
  const bucket = RESOURCE.exec(String(field(rule, 'availableResource')))?.[1]
  if (bucket === undefined) return 'availableResource must name a bucket'
  const permissions = field(rule, 'availablePermissions')
  if (!Array.isArray(permissions) || permissions.length === 0) return 'no availablePermissions'
  const roles: string[] = []
  for (const permission of permissions) {
    const role = /^inRole:(.+)$/.exec(String(permission))?.[1]
    if (role === undefined) return `availablePermissions: ${String(permission)} is not supported`
    roles.push(role)
  }
  const condition = field(rule, 'availabilityCondition')
  if (condition === undefined) return { bucket, roles, condition: null }
  const clauses = parseCondition(String(field(condition, 'expression')))
  return typeof clauses === 'string' ? clauses : { bucket, roles, condition: clauses }
}

function parseCondition(expression: string): readonly Clause[] | string {
  const clauses: Clause[] = []
  let rest = expression.trim()
  for (;;) {
    const match = CLAUSES.map(({ kind, form }) => ({ kind, found: form.exec(rest) })).find(
      ({ found }) => found,
    )
    if (!match?.found) return `condition not understood at: ${rest}`
    clauses.push({ kind: match.kind, text: (match.found[1] ?? '').replace(/\\(.)/g, '$1') })
    rest = rest.slice(match.found[0].length).trim()
    if (rest === '') return clauses
    if (!rest.startsWith('||')) return `condition not understood at: ${rest}`
    rest = rest.slice(2).trim()
  }
}

function holds(clause: Clause, access: StorageAccess): boolean {
  const bucketName = `projects/_/buckets/${access.bucket}`
  const name = access.object === undefined ? bucketName : `${bucketName}/objects/${access.object}`
  switch (clause.kind) {
    case 'name-starts':
      return name.startsWith(clause.text)
    case 'name-is':
      return name === clause.text
    case 'list-starts':
      return (access.listPrefix ?? '').startsWith(clause.text)
  }
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.entries(value).find(([key]) => key === name)?.[1]
}
