import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Problem } from '../errors.ts'
import { Secret } from '../secret.ts'
import type { ResolveSecret } from './secret-reference.ts'

export type Env = Readonly<Record<string, string | undefined>>

const MAX_SECRET_BYTES = 64 * 1024
/** A reference may also name a certificate or a trust bundle, which everybody may read. */
const PUBLIC = /^(?:-----BEGIN CERTIFICATE-----|\s*\{\s*"(?:keys|spiffe_\w+)")/
const GROUP_OR_WORLD_READABLE = 0o044

/**
 * Resolves `env:NAME` and `file:PATH` (relative to `baseDir`); undefined for what is missing, empty
 * or unreadable. A file is read anew each time, because tokens in files rotate; the line feed at
 * its end is dropped. Files that others can read are noted in `warnings`, once each.
 */
export function secretResolver(
  env: Env,
  baseDir: string,
): { resolve: ResolveSecret; warnings: Problem[] } {
  const warnings: Problem[] = []
  const resolveSecret = (reference: string) => {
    const value = reference.startsWith('env:')
      ? env[reference.slice('env:'.length)]
      : readSecret(reference, { baseDir, warnings })
    return value === undefined || value === '' ? undefined : new Secret(value)
  }
  return { resolve: resolveSecret, warnings }
}

function readSecret(
  reference: string,
  { baseDir, warnings }: { baseDir: string; warnings: Problem[] },
): string | undefined {
  const path = resolve(baseDir, reference.slice('file:'.length))
  try {
    const { mode, size } = statSync(path)
    if (size > MAX_SECRET_BYTES) return undefined
    const value = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    const known = warnings.some((warning) => warning.path === reference)
    const open = (mode & GROUP_OR_WORLD_READABLE) !== 0 && !PUBLIC.test(value)
    if (open && !known) {
      warnings.push({
        path: reference,
        message: `is readable for others (mode ${(mode & 0o777).toString(8)}): chmod 600 ${path}`,
      })
    }
    return value
  } catch {
    return undefined
  }
}
