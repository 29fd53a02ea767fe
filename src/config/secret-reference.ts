import { joinPath } from '../model/schema-issue.ts'
import type { Secret } from '../secret.ts'
import type { Report } from './report.ts'

const REFERENCE = /^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/

export type ResolveSecret = (reference: string) => Secret | undefined

/**
 * Walks settings for references and checks that each resolves. Returns those found: nothing else
 * may be resolved later. That a field takes no secret in place is its own schema's business.
 */
export function findReferences(
  report: Report,
  search: { value: unknown; path: string; resolveSecret: ResolveSecret },
): string[] {
  const { value, path, resolveSecret } = search
  if (typeof value === 'string') {
    if (!REFERENCE.test(value)) return []
    return checkReference(report, { ...search, reference: value })
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    const at = joinPath(path, [Array.isArray(value) ? Number(key) : key])
    return findReferences(report, { value: inner, path: at, resolveSecret })
  })
}

/** Notes a reference that leads nowhere; the message never holds what was found. */
function checkReference(
  report: Report,
  {
    reference,
    path,
    resolveSecret,
  }: { reference: string; path: string; resolveSecret: ResolveSecret },
): string[] {
  if (resolveSecret(reference) === undefined) {
    const [kind] = reference.split(':', 1)
    const todo = kind === 'env' ? 'set that variable' : 'create that file, readable for the broker'
    report.problem(path, `${reference} is empty or cannot be read: ${todo}`)
  }
  return [reference]
}
