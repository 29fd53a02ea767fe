import type { Issued } from '../../broker/issued.ts'
import type { CredentialWire } from '../../model/wire.ts'
import type { CredentialFields } from '../../provider.ts'
import { Secret } from '../../secret.ts'
import { rfc3339 } from './known.ts'

/** The one place where a credential's secret leaves for its answer (P2). */
export function revealCredential({ lease, credential }: Issued): CredentialWire {
  const { type, ...fields } = credential
  return { ...revealFields(fields), type, expires_at: rfc3339(lease.expiresAt) }
}

/** A task's token, which only the answer that opens the task carries. */
export function revealToken(token: Secret): string {
  return token.reveal()
}

function revealFields(fields: CredentialFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (value instanceof Secret) return [name, value.reveal()]
      return [name, typeof value === 'string' ? value : revealFields(value)]
    }),
  )
}
