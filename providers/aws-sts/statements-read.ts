/** A statement of a policy, as far as one of ours could be it; whatever else it holds stays in it. */
export interface ReadStatement {
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>
}

/** The statements of a policy document; none of one that cannot be read. */
export function statementsIn(text: string): readonly ReadStatement[] {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return []
  }
  const statements = isObject(document) ? [document.Statement].flat() : []
  return statements.filter(isReadable)
}

/** Whether two say the same to IAM, for which key order and lists of one make no difference. */
export function saysTheSame(one: object, other: object): boolean {
  return comparable(one) === comparable(other)
}

function isReadable(statement: unknown): statement is ReadStatement {
  if (!isObject(statement)) return false
  const { Condition } = statement
  return (
    Condition === undefined || (isObject(Condition) && Object.values(Condition).every(isObject))
  )
}

function comparable(value: unknown): string {
  if (Array.isArray(value)) {
    return value.length === 1 ? comparable(value[0]) : JSON.stringify(value.map(comparable))
  }
  if (!isObject(value)) return JSON.stringify(value)
  const sorted = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(sorted.map(([key, inner]) => [key, comparable(inner)]))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
