/**
 * Decides as Vault's ACL does: rules for the same path are merged, then the one most specific rule
 * for a request decides alone. Source: the rules of `vault/acl.go` in OpenBao, restated.
 */
import type { Exchange } from './exchange.ts'
import type { PathRule } from './policy-document.ts'

export interface Acl {
  allows(exchange: Exchange): boolean
  /** As `sys/capabilities` answers: `deny` alone where nothing is allowed. */
  capabilities(path: string): readonly string[]
  hasSudo(path: string): boolean
}

/** What the root policy may: everything. */
export const ROOT_ACL: Acl = {
  allows: () => true,
  capabilities: () => ['root'],
  hasSudo: () => true,
}

export function aclOf(policies: readonly (readonly PathRule[])[]): Acl {
  const merged = new Map<string, PathRule>()
  for (const rule of policies.flat()) {
    const known = merged.get(rule.path)
    merged.set(rule.path, known ? mergeRules(known, rule) : rule)
  }
  const patterns = [...merged.values()].map(patternOf)
  return {
    allows: (exchange) => {
      const rule = decidingRule(patterns, exchange.path, exchange.operation === 'list')
      if (!rule?.capabilities.has(exchange.operation)) return false
      if (exchange.operation === 'list' || exchange.operation === 'delete') return true
      return parametersAllowed(rule, exchange.data)
    },
    capabilities: (path) => {
      const found = [...(decidingRule(patterns, path, true)?.capabilities ?? [])].sort()
      return found.length === 0 ? ['deny'] : found
    },
    hasSudo: (path) => decidingRule(patterns, path, true)?.capabilities.has('sudo') ?? false,
  }
}

function mergeRules(a: PathRule, b: PathRule): PathRule {
  if (a.capabilities.has('deny')) return a
  if (b.capabilities.has('deny')) {
    return { ...b, allowed: new Map(), denied: new Map(), required: a.required }
  }
  return {
    path: a.path,
    capabilities: new Set([...a.capabilities, ...b.capabilities]),
    allowed: mergeParameters(a.allowed, b.allowed),
    denied: mergeParameters(a.denied, b.denied),
    required: [...new Set([...a.required, ...b.required])],
  }
}

function mergeParameters(
  a: ReadonlyMap<string, readonly unknown[]>,
  b: ReadonlyMap<string, readonly unknown[]>,
): ReadonlyMap<string, readonly unknown[]> {
  const merged = new Map(a)
  for (const [key, values] of b) {
    const known = merged.get(key)
    const any = values.length === 0 || known?.length === 0
    merged.set(key, any ? [] : [...values, ...(known ?? [])])
  }
  return merged
}

interface Pattern {
  readonly rule: PathRule
  readonly kind: 'exact' | 'prefix' | 'segments'
  /** Without the trailing `*`. */
  readonly stem: string
  readonly open: boolean
  readonly firstWildcard: number
}

function patternOf(rule: PathRule): Pattern {
  const { path } = rule
  const segments = path === '+' || path.startsWith('+/') || path.includes('/+')
  const open = path.endsWith('*')
  const stem = open ? path.slice(0, -1) : path
  if (segments) return { rule, kind: 'segments', stem, open, firstWildcard: path.indexOf('+') }
  if (open) return { rule, kind: 'prefix', stem, open, firstWildcard: stem.length }
  return { rule, kind: 'exact', stem, open, firstWildcard: stem.length }
}

/** A list is also judged by what its path without the trailing slash matches, and by that first. */
function decidingRule(
  patterns: readonly Pattern[],
  path: string,
  isList: boolean,
): PathRule | undefined {
  const bare = path.replace(/\/$/, '')
  const exact = (wanted: string) =>
    patterns.find((pattern) => pattern.kind === 'exact' && pattern.stem === wanted)
  return (
    exact(path) ??
    (isList ? exact(bare) : undefined) ??
    (isList && bare !== path ? mostSpecific(patterns, bare) : undefined) ??
    mostSpecific(patterns, path)
  )?.rule
}

function mostSpecific(patterns: readonly Pattern[], path: string): Pattern | undefined {
  return patterns.filter((pattern) => matches(pattern, path)).sort(bySpecificity)[0]
}

function matches(pattern: Pattern, path: string): boolean {
  if (pattern.kind === 'exact') return false
  if (pattern.kind === 'prefix') return path.startsWith(pattern.stem)
  const wanted = pattern.stem.split('/')
  const given = path.split('/')
  if (given.length < wanted.length) return false
  if (!pattern.open && given.length !== wanted.length) return false
  return wanted.every((part, i) => {
    const last = i === wanted.length - 1
    if (part === '+' || part === given[i]) return true
    return pattern.open && last && (given[i] ?? '').startsWith(part)
  })
}

/** Most specific first: later wildcard, no `*`, fewer `+`, longer, lexically larger. */
function bySpecificity(a: Pattern, b: Pattern): number {
  return (
    b.firstWildcard - a.firstWildcard ||
    Number(a.open) - Number(b.open) ||
    wildcardSegments(a) - wildcardSegments(b) ||
    b.stem.length - a.stem.length ||
    (a.stem < b.stem ? 1 : -1)
  )
}

function wildcardSegments(pattern: Pattern): number {
  return pattern.stem.split('/').filter((part) => part === '+').length
}

function parametersAllowed(rule: PathRule, data: Readonly<Record<string, unknown>>): boolean {
  if (rule.required.some((name) => !(name.toLowerCase() in data))) return false
  const given = Object.entries(data)
  if (given.length === 0) return true
  if (rule.denied.has('*')) return false
  for (const [name, value] of given) {
    const denied = rule.denied.get(name.toLowerCase())
    if (denied && inList(value, denied)) return false
  }
  if (rule.allowed.size === 0) return true
  return given.every(([name, value]) => {
    const allowed = rule.allowed.get(name.toLowerCase())
    if (!allowed) return rule.allowed.has('*')
    return inList(value, allowed)
  })
}

/** An empty list means any value; `*` at either end of a listed text is a wildcard. */
function inList(value: unknown, list: readonly unknown[]): boolean {
  if (list.length === 0) return true
  return list.some((entry) => {
    if (typeof entry !== 'string' || typeof value !== 'string') {
      return JSON.stringify(entry) === JSON.stringify(value)
    }
    const head = entry.startsWith('*')
    const tail = entry.endsWith('*')
    const core = entry.slice(head ? 1 : 0, tail && entry.length > 1 ? -1 : undefined)
    if (head && tail) return value.includes(core)
    if (head) return value.endsWith(core)
    if (tail) return value.startsWith(core)
    return value === entry
  })
}
