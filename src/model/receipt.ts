import type { LeaseWire, SelectorWire } from './wire.ts'

/** RFC 7515 §4.1.9: tells a receipt from everything else that is signed. */
export const RECEIPT_TYPE = 'mayfly-receipt+jwt'

/**
 * What a receipt says: the claims of a JWT (RFC 7519) that has no audience and never expires,
 * because it states what was known at one moment and asks nothing of anybody.
 */
export type ReceiptClaims = {
  /** The broker's `server.public_url`. */
  readonly iss: string
  /** The id of the lease or kill. */
  readonly sub: string
  readonly jti: string
  /** When it was signed, in seconds. */
  readonly iat: number
  readonly installation: string
  /** Everything below is as it was known at this moment, or not earlier than it. */
  readonly as_of: string
} & ({ readonly lease: LeaseReceipt } | { readonly kill: KillReceipt })

/** An event of the audit log: its place in the chain and the hash that holds it there. */
export interface AuditPlaceWire {
  readonly seq: number
  readonly hash: string
  readonly at: string
}

export type LeaseReceipt = Omit<LeaseWire, 'exposed_until'> & {
  readonly workload: string
  readonly policy_hash: string
  readonly revocability: string
  /** Absent while nobody ordered its end. */
  readonly end?: {
    readonly ordered_at: string
    /** Who: by name for an operator, by kind for the task itself. */
    readonly ordered_by?: string
    readonly event?: AuditPlaceWire
  }
  /** Absent where the upstream surely minted nothing. */
  readonly exposed_until?: string
  /**
   * From the order to end it to `exposed_until`, rounded up: how long it could still work, at most,
   * after somebody decided that it must not. While the lease is ending a later receipt may say
   * less; it says more only if the upstream is seen to accept it again, or if an older database was put
   * back. Absent without an order.
   */
  readonly exposed_seconds?: number
  /** The last event of this lease that the statement includes. */
  readonly event?: AuditPlaceWire
}

export interface KillReceipt {
  readonly id: string
  readonly selector: SelectorWire
  /** What it was limited to; absent: every tenant. */
  readonly tenants?: readonly string[]
  readonly reason: string
  readonly ordered_by: string
  readonly ordered_at: string
  /** The commit after which it was acknowledged, and nothing was issued against it. */
  readonly event?: AuditPlaceWire
  readonly block?: string
  /** What it matched when it was ordered. */
  readonly matched: { readonly leases: number; readonly tasks: number; readonly agents: number }
  /** False while leases it matches may still wait for their order to end. */
  readonly complete: boolean
  /** Leases that got their order so far, by how far their end has come. */
  readonly containment: Readonly<Record<string, number>>
  /** The latest moment anything of it could still work; absent where it ended nothing. */
  readonly exposed_until?: string
  /** From `ordered_at` to `exposed_until`, rounded up; 0 where it ended nothing. */
  readonly exposed_seconds: number
  readonly leases: {
    readonly total: number
    /** SHA-256, lower-case hex, of all lines by lease id in RFC 8785 canonical JSON. */
    readonly sha256: string
    /** All of them, or as many as a receipt holds. */
    readonly lines: readonly KilledLeaseLine[]
  }
}

export interface KilledLeaseLine {
  readonly lease: string
  readonly state: string
  readonly containment?: string
  readonly proof?: LeaseWire['proof']
  readonly cause?: string
  readonly exposed_until: string
  readonly ended_at?: string
}

export interface ReceiptWire {
  /** The signed statement, JWS Compact Serialization (RFC 7515 §7.1): this is what to keep. */
  readonly jws: string
  /** What it says, for reading. */
  readonly claims: ReceiptClaims
}

/** A public key as RFC 7517 §4 writes it, with its time as OpenID Federation 1.0 §8.7 does. */
export interface ReceiptKeyWire {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly y?: string
  readonly kid: string
  readonly alg: string
  readonly use: 'sig'
  /** Since when it signs, in seconds. */
  readonly iat: number
  /** When it stopped; what is dated later was not signed by us. Absent: it still signs. */
  readonly exp?: number
}
