import type { MatchConfig } from './settings.ts'
import type { Workload } from './workload.ts'

/**
 * Whether the workload is one `match` means: of its issuer, with every claim named there present
 * and matching. A claim that is a list matches if one of its values does.
 */
export function matchesWorkload(
  match: MatchConfig,
  workload: Pick<Workload, 'issuer' | 'claims' | 'lists'>,
): boolean {
  if (match.issuer !== workload.issuer) return false
  return Object.entries(match.claims).every(([claim, pattern]) =>
    valuesOf(workload, claim).some((value) => matchesPattern(pattern, value)),
  )
}

/** Whether `value` has the form of `pattern`, in which `*` is any run of characters but `:` `/`. */
export function matchesPattern(pattern: string, value: string): boolean {
  const wanted = pattern.split(/([:/])/)
  const found = value.split(/([:/])/)
  if (wanted.length !== found.length) return false
  return wanted.every((part, at) => matchesSegment(part, found[at] ?? ''))
}

function valuesOf(workload: Pick<Workload, 'claims' | 'lists'>, claim: string): readonly string[] {
  if (Object.hasOwn(workload.lists, claim)) return workload.lists[claim] ?? []
  return Object.hasOwn(workload.claims, claim) ? [workload.claims[claim] ?? ''] : []
}

/** Within one segment each literal is taken at its leftmost place: linear, no backtracking. */
function matchesSegment(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return pattern === text
  if (!text.startsWith(first) || text.length < first.length + last.length) return false
  if (!text.endsWith(last)) return false
  const end = text.length - last.length
  let at = first.length
  for (const literal of rest) {
    const found = text.indexOf(literal, at)
    if (found < 0 || found + literal.length > end) return false
    at = found + literal.length
  }
  return true
}
