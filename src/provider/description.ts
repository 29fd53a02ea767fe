import type { IntentItem } from '../model/intent.ts'
import type { Revocability } from '../model/lease.ts'

export interface DescribeRequest<Settings, Target> {
  readonly settings: Settings
  readonly target: Target
  readonly intent: readonly IntentItem[]
  /**
   * The entitlement's ceiling. An upstream that cannot narrow grants exactly this or nothing (P4):
   * such a target is refused where the ceiling is absent or differs from `intent`.
   */
  readonly ceiling?: readonly IntentItem[]
}

/** What a lease on this target would be, before anything is minted. */
export interface Description {
  /** The compiled least-privilege expression, readable and free of secrets. */
  readonly scope: Readonly<Record<string, unknown>>
  /** The upstream thing it is drawn on, readable: a role ARN, a Vault path, an account. */
  readonly target: string
  /** What shares one upstream document with others; null where each lease stands alone. */
  readonly group: string | null
  /** How many leases of one group can be refused early at once; absent means no such limit. */
  readonly groupCapacity?: number
  readonly lifetime: {
    /** The shortest life the upstream itself can give, in seconds. */
    readonly nativeFloorSeconds: number
    readonly maxSeconds: number
  }
  readonly revocability: Revocability
  /** For `propagating`: how long an end takes to bite, in seconds. */
  readonly propagation?: { readonly typicalSeconds: number; readonly worstSeconds: number }
  /** The proof of containment this upstream can give. */
  readonly proof: 'probe' | 'lookup' | 'canary' | 'expiry'
  /** `memory`: ending needs the secret itself, so a restart downgrades its leases to `expiry`. */
  readonly custody: 'none' | 'memory'
  /** What outlives the credential; denied unless the entitlement accepts each by name. */
  readonly residuals: readonly string[]
  /** Exclusive resources of a pool, of which the reservation takes one free; absent: no pool. */
  readonly slots?: readonly string[]
}
