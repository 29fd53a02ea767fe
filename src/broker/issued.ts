import type { Approval } from '../model/approval.ts'
import type { Lease } from '../model/lease.ts'
import type { CredentialFields } from '../provider.ts'

/** A lease and its secret, on its way to the one answer that carries it. */
export interface Issued {
  readonly lease: Lease
  readonly credential: { readonly type: string } & CredentialFields
}

/** Nothing was issued: somebody has to say yes first. */
export interface AwaitsApproval {
  readonly approval: Approval
}
