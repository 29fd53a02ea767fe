/** Deeper than any known issuer nests, and shallow enough to walk without thought. */
const MAX_DEPTH = 6
const MAX_CLAIMS = 256
const SEPARATOR = ','

/** A token's claims flattened to text; see `Workload.claims` and `Workload.lists`. */
export interface FlatClaims {
  readonly claims: Readonly<Record<string, string>>
  readonly lists: Readonly<Record<string, readonly string[]>>
}

/**
 * Flattens claims by path, joined with `/`. A list of plain values is kept value by value and, if
 * no value contains a comma, also joined by commas. What has no unambiguous text is left out; two
 * claims that would share one name make the whole set unreadable: undefined.
 */
export function flattenClaims(payload: Readonly<Record<string, unknown>>): FlatClaims | undefined {
  const claims = new Map<string, string>()
  const lists = new Map<string, readonly string[]>()
  const names = new Set<string>()
  const walk = (value: unknown, path: string, depth: number): boolean => {
    if (isRecord(value)) {
      if (depth >= MAX_DEPTH) return false
      return Object.entries(value).every(([key, inner]) =>
        walk(inner, path === '' ? key : `${path}/${key}`, depth + 1),
      )
    }
    if (names.has(path) || names.size >= MAX_CLAIMS) return false
    names.add(path)
    if (Array.isArray(value)) {
      const values = value.map(scalarText)
      if (!values.every((text) => text !== undefined)) return true
      lists.set(path, values)
      if (values.every((text) => !text.includes(SEPARATOR))) {
        claims.set(path, values.join(SEPARATOR))
      }
      return true
    }
    const text = scalarText(value)
    if (text !== undefined) claims.set(path, text)
    return true
  }
  if (!walk(payload, '', 0)) return undefined
  return { claims: Object.fromEntries(claims), lists: Object.fromEntries(lists) }
}

function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
