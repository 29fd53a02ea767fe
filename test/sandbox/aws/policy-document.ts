/** One statement of an IAM policy with every element as a list; absent elements are undefined. */
export interface Statement {
  readonly effect: 'Allow' | 'Deny'
  readonly actions: readonly string[] | undefined
  readonly notActions: readonly string[] | undefined
  readonly resources: readonly string[] | undefined
  readonly notResources: readonly string[] | undefined
  readonly principals: readonly string[] | undefined
  readonly conditions: readonly ConditionTest[]
}

export interface ConditionTest {
  readonly operator: string
  readonly key: string
  readonly values: readonly string[]
}

/** A document AWS would answer with MalformedPolicyDocument. */
export class MalformedPolicy extends Error {}

const STATEMENT_ELEMENTS = new Set([
  'Sid',
  'Effect',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Principal',
  'Condition',
])

const OPERATOR =
  /^(?:(?:ForAnyValue|ForAllValues):)?(?:(?:String(?:Not)?(?:Equals(?:IgnoreCase)?|Like)|Date(?:(?:Not)?Equals|(?:Greater|Less)Than(?:Equals)?)|Numeric(?:(?:Not)?Equals|(?:Greater|Less)Than(?:Equals)?)|Arn(?:Not)?(?:Equals|Like)|Bool)(?:IfExists)?|Null)$/

/** Reads a policy as IAM does: strict about elements and operators, lenient about scalars. */
export function parsePolicy(text: string, kind: 'identity' | 'resource' | 'trust'): Statement[] {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw new MalformedPolicy('the document is not JSON')
  }
  if (!isObject(document)) throw new MalformedPolicy('the document is not an object')
  if (document.Version !== '2012-10-17') throw new MalformedPolicy('Version must be 2012-10-17')
  const statements = Array.isArray(document.Statement) ? document.Statement : [document.Statement]
  if (statements.length === 0) throw new MalformedPolicy('there is no statement')
  return statements.map((statement) => parseStatement(statement, kind))
}

function parseStatement(raw: unknown, kind: 'identity' | 'resource' | 'trust'): Statement {
  if (!isObject(raw)) throw new MalformedPolicy('a statement is not an object')
  for (const element of Object.keys(raw)) {
    if (!STATEMENT_ELEMENTS.has(element)) throw new MalformedPolicy(`unknown element ${element}`)
  }
  if (raw.Effect !== 'Allow' && raw.Effect !== 'Deny') throw new MalformedPolicy('bad Effect')
  if ((raw.Action === undefined) === (raw.NotAction === undefined)) {
    throw new MalformedPolicy('exactly one of Action and NotAction is needed')
  }
  const resourceElements = [raw.Resource, raw.NotResource].filter((r) => r !== undefined).length
  if (resourceElements !== (kind === 'trust' ? 0 : 1)) {
    throw new MalformedPolicy('wrong number of Resource and NotResource')
  }
  if ((raw.Principal === undefined) !== (kind === 'identity')) {
    throw new MalformedPolicy('Principal is for resource policies only, and needed there')
  }
  const resources = list(raw.Resource)
  const notResources = list(raw.NotResource)
  for (const resource of [...(resources ?? []), ...(notResources ?? [])]) {
    if (resource !== '*' && resource.split(':').length < 6) {
      throw new MalformedPolicy(`Resource ${resource} must be in ARN format or "*".`)
    }
  }
  const actions = list(raw.Action)
  const notActions = list(raw.NotAction)
  for (const action of [...(actions ?? []), ...(notActions ?? [])]) {
    if (!/^(?:\*|[\w-]+:[\w*?]+)$/.test(action)) {
      throw new MalformedPolicy(`Actions/Conditions must be prefaced by a vendor: ${action}`)
    }
  }
  return {
    effect: raw.Effect,
    actions,
    notActions,
    resources,
    notResources,
    principals: principals(raw.Principal),
    conditions: conditions(raw.Condition),
  }
}

function principals(raw: unknown): string[] | undefined {
  if (raw === undefined) return undefined
  if (raw === '*') return ['*']
  if (!isObject(raw)) throw new MalformedPolicy('bad Principal')
  return Object.entries(raw).flatMap(([kind, value]) => (kind === 'AWS' ? (list(value) ?? []) : []))
}

function conditions(raw: unknown): ConditionTest[] {
  if (raw === undefined) return []
  if (!isObject(raw)) throw new MalformedPolicy('bad Condition')
  return Object.entries(raw).flatMap(([operator, keys]) => {
    if (!OPERATOR.test(operator)) throw new MalformedPolicy(`unknown operator ${operator}`)
    if (!isObject(keys)) throw new MalformedPolicy(`bad condition under ${operator}`)
    return Object.entries(keys).map(([key, value]) => ({
      operator,
      key: key.toLowerCase(),
      values: list(value) ?? [],
    }))
  })
}

function list(raw: unknown): string[] | undefined {
  if (raw === undefined) return undefined
  const values = Array.isArray(raw) ? raw : [raw]
  return values.map((value) => {
    if (typeof value === 'string') return value
    if (typeof value === 'number' || typeof value === 'boolean') return String(value)
    throw new MalformedPolicy('a value is not a string')
  })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
