import { createHash } from 'node:crypto'
import { MayflyError } from '../errors.ts'
import type { KeyName } from '../model/key.ts'
import type { Workload } from './workload.ts'

/**
 * The key an issuer bound a token to (RFC 7800 `cnf`): its `jkt` (RFC 9449 §6) or `x5t#S256`
 * (RFC 8705 §3.1); null for a token bound to none. Undefined for any other binding: one that cannot
 * be checked is not passed over.
 */
export function confirmationOf(cnf: unknown): KeyName | null | undefined {
  if (cnf === undefined) return null
  if (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf)) return undefined
  const [entry, ...others] = Object.entries(cnf)
  if (entry === undefined || others.length > 0) return undefined
  const [method, value] = entry
  if (method !== 'jkt' && method !== 'x5t#S256') return undefined
  return typeof value === 'string' && /^[\w-]{43}$/.test(value) ? `${method}:${value}` : undefined
}

/**
 * Names what a first key is pinned to, as SHA-256: the instance of the workload where its evidence
 * tells instances apart (a pod), otherwise the one token, by its `jti` or all that was signed. The
 * signature is left out: whoever has one of ECDSA can write another that also holds.
 */
export function pinName(evidence: {
  readonly issuerUrl: string
  readonly subject: string
  readonly instance: string | null
  readonly jti: string | undefined
  readonly token: string
}): string {
  const { issuerUrl, subject, instance, jti, token } = evidence
  const signed = token.slice(0, token.lastIndexOf('.'))
  const of =
    instance !== null
      ? ['instance', instance]
      : jti !== undefined
        ? ['jti', jti]
        : ['token', signed]
  return createHash('sha256')
    .update(JSON.stringify([issuerUrl, subject, ...of]))
    .digest('hex')
}

/**
 * The workload with the proof that the keys shown beside its evidence make: `key` if the evidence
 * names one of them, `bound` if it names none. Evidence bound to another key is refused.
 */
export function withKeys(
  workload: Workload,
  keys: readonly KeyName[],
): { readonly workload: Workload; readonly key: KeyName | null } {
  const { confirmation } = workload
  if (confirmation === null) {
    const [key = null] = keys
    return { workload: key === null ? workload : { ...workload, proof: 'bound' }, key }
  }
  if (keys.includes(confirmation))
    return { workload: { ...workload, proof: 'key' }, key: confirmation }
  throw new MayflyError('unauthenticated', 'the evidence was not accepted', {
    detail: { workload: workload.name, reason: 'it is bound to a key that was not shown' },
  })
}
