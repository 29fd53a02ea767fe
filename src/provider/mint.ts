import type { LeaseId, TaskId } from '../ids.ts'
import type { Chain } from '../model/chain.ts'
import type { IntentItem } from '../model/intent.ts'
import type { KeyName } from '../model/key.ts'
import type { Secret } from '../secret.ts'

export interface MintOrder {
  readonly lease: LeaseId
  /** `mf-` and the lease's 20 characters: the only name the upstream ever sees. */
  readonly upstreamName: string
  /** 1 for the first issue, then one more for each renewal. */
  readonly generation: number
  readonly task: TaskId
  readonly agent: string
  readonly tenant: string
  readonly holder: Holder
  /** As parsed by the definition's `target`. */
  readonly target: unknown
  readonly targetName: string
  readonly group: string | null
  readonly scope: Readonly<Record<string, unknown>>
  readonly intent: readonly IntentItem[]
  readonly ttlSeconds: number
  /** The instant after which the credential must not work, as far as the upstream can say so. */
  readonly notAfter: number
  readonly slot: string | null
  /** What earlier generations of this lease left; a renewal returns one handle for all. */
  readonly handle: Readonly<Record<string, unknown>> | null
  /** Aborted at the mint deadline; the outcome is then unknown. */
  readonly signal: AbortSignal
}

/** Who will hold a credential, beyond the agent's name. */
export interface Holder {
  /** The key its task is bound to; null where the task's token alone is enough. */
  readonly key: KeyName | null
  /** Through whom the task came to its work. */
  readonly chain: Chain
}

/** A credential's fields; secret ones are `Secret`. `type` is added by the broker's answer. */
export interface CredentialFields {
  readonly [field: string]: string | Secret | CredentialFields
}

export interface Minted {
  /** `type` and the fields of DESIGN §8, without `expires_at`. */
  readonly credential: { readonly type: string } & CredentialFields
  /** What the client is told; never later than the order's `notAfter`. */
  readonly expiresAt: number
  /** When the upstream itself stops honouring it. */
  readonly nativeExpiresAt: number
  /** What ending it needs later (an accessor, a lease id); never a secret. */
  readonly handle: Readonly<Record<string, unknown>>
  /** The upstream's clock when it answered, where it says so: measures skew. */
  readonly upstreamTime?: number
  /** The part it took of the room that the upstream gives a credential, where it says so: 0 to 1. */
  readonly fullness?: number
}
