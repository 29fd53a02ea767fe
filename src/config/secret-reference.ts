import type { Secret } from '../secret.ts'
import { joinPath, type Report } from './report.ts'

const REFERENCE = /^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/
/** Fields that hold a secret wherever they occur in settings. */
const SECRET_FIELD =
  /(^|_)(secret|secret_id|token|jwt|password|passphrase|private_key|api_key|secret_key|access_key|secret_access_key|session_token)$/

export type ResolveSecret = (reference: string) => Secret | undefined

export function isSecretReference(text: string): boolean {
  return REFERENCE.test(text)
}

/**
 * Walks settings for references and checks that each resolves; a secret written in place is
 * refused. Returns the references found: nothing else may be resolved later.
 */
export function findReferences(
  report: Report,
  search: { value: unknown; path: string; resolveSecret: ResolveSecret },
): string[] {
  const { value, path, resolveSecret } = search
  if (typeof value === 'string') {
    if (isSecretReference(value)) return checkReference(report, { ...search, reference: value })
    if (SECRET_FIELD.test(lastWord(path))) {
      report.problem(path, 'must not hold the secret itself: use env:NAME or file:PATH')
    }
    return []
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

function lastWord(path: string): string {
  return /([\w-]+)(\[\d+\])*$/.exec(path)?.[1]?.replaceAll('-', '_') ?? ''
}
