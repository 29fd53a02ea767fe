/**
 * Reasoning about IAM's wildcard patterns, where `*` stands for any run of characters and `?` for
 * one. Nothing here looks at a concrete string.
 */

/**
 * Whether every string `inner` matches is matched by `outer`. Never true wrongly; sometimes false
 * where a closer look would find containment (`?*` over `*a`), because only a `*` of `outer` may
 * take a `*` of `inner`.
 */
export function patternCovers(outer: string, inner: string): boolean {
  return align(outer, inner, (o, i) => (o === '?' ? i !== '*' : o === i))
}

/** Whether some string is matched by both; exact. */
export function patternsOverlap(a: string, b: string): boolean {
  if (differBeforeWildcard(a, b)) return false
  // row[j]: the rest of `a` from here and the rest of `b` from j have a string in common.
  let row = startOfOverlap(b)
  for (let i = a.length - 1; i >= 0; i--) {
    const next: boolean[] = new Array(b.length + 1).fill(false)
    next[b.length] = a[i] === '*' && (row[b.length] ?? false)
    for (let j = b.length - 1; j >= 0; j--) {
      const skipA = row[j] ?? false
      const skipB = next[j + 1] ?? false
      const both = row[j + 1] ?? false
      if (a[i] === '*' || b[j] === '*') {
        next[j] = (a[i] === '*' && (skipA || skipB)) || (b[j] === '*' && (skipA || skipB))
      } else {
        next[j] = both && (a[i] === b[j] || a[i] === '?' || b[j] === '?')
      }
    }
    row = next
  }
  return row[0] ?? false
}

/** The common case, decided without the table: literal beginnings that differ. */
function differBeforeWildcard(a: string, b: string): boolean {
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (WILD.has(a[i] ?? '') || WILD.has(b[i] ?? '')) return false
    if (a[i] !== b[i]) return true
  }
  return false
}

const WILD = new Set(['*', '?'])

/** Matches `outer` against the symbols of `inner`, letting only `*` take several. */
function align(outer: string, inner: string, same: (o: string, i: string) => boolean): boolean {
  let o = 0
  let i = 0
  let star = -1
  let mark = 0
  while (i < inner.length) {
    const symbol = inner[i] ?? ''
    if (outer[o] === '*') {
      star = o++
      mark = i
    } else if (o < outer.length && same(outer[o] ?? '', symbol)) {
      o++
      i++
    } else if (star >= 0) {
      o = star + 1
      i = ++mark
    } else {
      return false
    }
  }
  while (outer[o] === '*') o++
  return o === outer.length
}

/** What remains of `b` meets the empty rest of `a` only if it is all stars. */
function startOfOverlap(b: string): boolean[] {
  const row: boolean[] = new Array(b.length + 1).fill(false)
  row[b.length] = true
  for (let j = b.length - 1; j >= 0 && b[j] === '*'; j--) row[j] = true
  return row
}
