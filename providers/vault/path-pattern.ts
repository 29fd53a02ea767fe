/**
 * Vault's path grammar, and exact containment in it. `+` stands for one whole segment, `*` only at
 * the very end for any rest. Source: "Policy syntax" in Vault's and OpenBao's policy documentation.
 */

export interface PathPattern {
  /** The pattern without its trailing `*`, split at `/`; `+` is any one segment, also an empty one. */
  readonly segments: readonly string[]
  /** Ends in `*`: the last segment is a prefix and anything may follow it. */
  readonly open: boolean
}

/** What a path may be written with; nothing that policy documents give a meaning of their own. */
const SAFE = /^[A-Za-z0-9._~@:=,+*/-]+$/
const MAX_LENGTH = 512

/** Why `text` is not a location Mayfly compiles; undefined if it is. */
export function pathProblem(text: string): string | undefined {
  if (text === '') return 'is empty'
  if (text.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`
  if (!SAFE.test(text)) return 'may only hold letters, digits and . _ ~ @ : = , - + * /'
  if (text.startsWith('/')) return 'must not start with /'
  if (text.slice(0, -1).includes('*')) return 'may hold * only as its last character'
  const { segments, open } = parsePath(text)
  if (segments.some((segment) => segment !== '+' && segment.includes('+'))) {
    return 'may hold + only as a whole segment'
  }
  if (open && segments.at(-1) === '+') return 'must not end with +*, which Vault refuses'
  if (segments.slice(0, -1).includes('')) return 'must not hold an empty segment'
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    return 'must not hold . or .. as a segment'
  }
  return undefined
}

export function parsePath(text: string): PathPattern {
  const open = text.endsWith('*')
  return { segments: (open ? text.slice(0, -1) : text).split('/'), open }
}

/** True only if every path `inner` matches is matched by `outer`. */
export function covers(outer: PathPattern, inner: PathPattern): boolean {
  const last = outer.segments.length - 1
  if (inner.segments.length < outer.segments.length) return false
  if (!outer.open && (inner.open || inner.segments.length !== outer.segments.length)) return false
  return outer.segments.every((wanted, i) => {
    const given = inner.segments[i] ?? ''
    if (outer.open && i === last) return given === '+' ? wanted === '' : given.startsWith(wanted)
    return wanted === '+' || given === wanted
  })
}

/** Whether some path is matched by both. */
export function overlaps(a: PathPattern, b: PathPattern): boolean {
  const [short, long] = a.segments.length <= b.segments.length ? [a, b] : [b, a]
  if (!short.open && short.segments.length !== long.segments.length) return false
  return short.segments.every((one, i) => {
    const other = long.segments[i] ?? ''
    if (one === '+' || other === '+') return true
    const oneIsPrefix = short.open && i === short.segments.length - 1
    const otherIsPrefix = long.open && i === long.segments.length - 1
    if (oneIsPrefix && otherIsPrefix) return one.startsWith(other) || other.startsWith(one)
    if (oneIsPrefix) return other.startsWith(one)
    if (otherIsPrefix) return one.startsWith(other)
    return one === other
  })
}

/** Whether it names exactly one path. */
export function isPlain({ segments, open }: PathPattern): boolean {
  return !open && !segments.includes('+')
}

/**
 * Whether Vault lets `a` decide where both match: a path without wildcards, then the later first
 * wildcard, no `*`, fewer `+`, the longer pattern.
 */
export function outranks(a: PathPattern, b: PathPattern): boolean {
  if (isPlain(a) !== isPlain(b)) return isPlain(a)
  for (const [mine, theirs] of zip(rankOf(a), rankOf(b))) {
    if (mine !== theirs) return mine > theirs
  }
  return false
}

function rankOf(pattern: PathPattern): readonly number[] {
  const stem = pattern.segments.join('/')
  const firstPlus = pattern.segments.indexOf('+')
  const before = pattern.segments.slice(0, firstPlus)
  const firstWildcard = firstPlus < 0 ? stem.length : before.join('/').length + (firstPlus ? 1 : 0)
  const plusses = pattern.segments.filter((segment) => segment === '+').length
  return [firstWildcard, pattern.open ? 0 : 1, -plusses, stem.length]
}

function zip(a: readonly number[], b: readonly number[]): readonly (readonly [number, number])[] {
  return a.map((value, i) => [value, b[i] ?? 0])
}
