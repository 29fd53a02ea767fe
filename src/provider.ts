/**
 * The plug-in contract between Mayfly and one kind of upstream.
 *
 * A definition is pure: it validates its own settings and targets, teaches its vocabulary, and
 * compiles an intent into the upstream's own least privilege. An instance talks to one upstream.
 * What an upstream cannot do is absent from the instance, never a no-op that succeeds.
 */

import type { z } from 'zod'
import type { Clock } from './clock.ts'
import type { LeaseId, TaskId } from './ids.ts'
import type { Chain } from './model/chain.ts'
import type { GroupUse } from './model/group-use.ts'
import type { IntentItem, Refusal, Vocabulary } from './model/intent.ts'
import type { KeyName } from './model/key.ts'
import type { ContainmentProof, Revocability } from './model/lease.ts'
import type { UpstreamWriter } from './model/upstream-writer.ts'
import type { Secret } from './secret.ts'

export interface ProviderDefinition<Settings = unknown, Target = unknown> {
  /** The `type` in `providers.<name>.type`, for example `aws-sts`. */
  readonly type: string
  /** Strict; secrets appear only as references (`env:NAME`, `file:PATH`). */
  readonly settings: z.ZodType<Settings>
  /** Strict; what an entitlement's `target` must be. */
  readonly target: z.ZodType<Target>
  readonly vocabulary: Vocabulary
  /**
   * Which upstream these settings reach, readable and without secrets: the place where its leases
   * are ended. Settings that differ here may not take over each other's leases, since what another
   * upstream does not know looks like an end. Credentials are no part of it.
   */
  upstreamOf(settings: Settings): string
  /**
   * What of a target only one tenant may draw on, readable (a role's ARN); undefined: nothing, or
   * the operator marked it as shared. Absent where the upstream keeps tenants apart itself.
   */
  oneTenantOf?(target: Target): string | undefined
  /**
   * Accounts that leases of a target hold one at a time (`own`), and those that many use at once
   * (`shared`): an own account may be in no other instance and shared by none.
   */
  accountsOf?(target: Target): {
    readonly own: readonly string[]
    readonly shared: readonly string[]
  }
  /**
   * Names under which credentials of a target act at the upstream, as a token obtained with one
   * would say it: such a token is no evidence (P10). A name that ends with `/*` stands for every
   * name directly below.
   */
  identitiesOf?(target: Target): readonly string[]
  /** Where its credentials are access tokens of this broker (RFC 9068): what an OAuth request means. */
  accessTokensOf?(target: Target): AccessTokens
  /**
   * Compiles `intent` for `target` into the upstream's own terms, exactly or not at all: a refusal
   * names what cannot be expressed. Pure, and called on the hot path.
   */
  describe(request: DescribeRequest<Settings, Target>): Description | Refusal
  create(context: ProviderContext<Settings>): Provider
}

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

/** What an OAuth request for tokens of one target means. */
export interface AccessTokens {
  /** Whom the tokens are for (`aud`). */
  readonly audiences: readonly string[]
  /** What a `scope` asks for, as an intent. */
  intentOf(scope: readonly string[]): IntentItem
}

/** The broker itself as an upstream: it signs access tokens and answers for them. */
export interface OwnTokens {
  /** The issuer identifier they bear. */
  readonly issuer: string
  /** Makes sure that a key of this kind is published before it signs anything. */
  prepare(algorithm: 'ES256' | 'EdDSA'): Promise<void>
  /** A signed RFC 9068 token with these claims and its issuer. */
  sign(algorithm: 'ES256' | 'EdDSA', claims: Readonly<Record<string, unknown>>): Promise<Secret>
  /** Whether introspection still answers that tokens of this lease are active. */
  honours(lease: LeaseId): Promise<boolean>
}

export interface ProviderContext<Settings> {
  /** The instance's name in `providers`. */
  readonly name: string
  /** Part of every upstream name. */
  readonly installation: string
  readonly writer: UpstreamWriter
  readonly settings: Settings
  /** Every configured target of this instance, for `check`; each as the definition's `target`. */
  readonly targets?: readonly unknown[]
  readonly clock: Clock
  /** Resolves a reference (`env:NAME`, `file:PATH`) that the settings contain. */
  secret(reference: string): Secret
  readonly log: ProviderLog
  /** Absent where nothing is minted, as in `mayfly doctor`. */
  readonly ownTokens?: OwnTokens
}

export interface ProviderLog {
  info(data: Record<string, unknown>, message: string): void
  warn(data: Record<string, unknown>, message: string): void
}

export interface Provider {
  /**
   * Asks the upstream once, with its client's own retries off. Throws `UpstreamError`: `refused`
   * only for listed answers that prove nothing was minted, `unknown` for everything else.
   */
  mint(order: MintOrder): Promise<Minted>
  /**
   * Prolongs what was minted without sending a secret again; absent where renewing means minting
   * again. Same errors as `mint`.
   */
  renew?(order: MintOrder): Promise<Minted>
  /**
   * Makes the upstream refuse these leases of one group: by upstream name, idempotent, not-found
   * is success, also for unknown outcomes: `handle` is null after a lost mint, and after a lost
   * renewal names only the generations before it, so the upstream name must reach every one.
   * Throws `UpstreamError` if the batch failed as a whole; otherwise every order has its own
   * outcome.
   */
  revoke?(batch: RevokeBatch): Promise<readonly EndOutcome[]>
  /**
   * Looks whether the upstream refuses these leases by now; undefined proof means not yet seen. Also
   * asked of leases that were proved before: `works` says that the upstream accepts one again.
   */
  prove?(orders: readonly EndOrder[]): Promise<readonly ProofOutcome[]>
  /** Cleans up after leases known to be dead, for example enables a pool account again. */
  release?(orders: readonly EndOrder[]): Promise<readonly EndOutcome[]>
  /**
   * What the upstream holds in this installation's name: every lease that a group's document
   * refuses, whether each slot is switched on, and whatever was made for a lease that stands alone.
   * Complete for what it can see; a group or slot it cannot see is an item that says so. Looks at
   * those of its targets and at those in `beside`, which leases hold that are not over. Throws
   * `UpstreamError` where nothing can be said at all.
   */
  inventory?(beside?: InventoryRequest): Promise<readonly InventoryItem[]>
  /**
   * Switches slots on again that no lease holds, by an operator's order: refuses each of which a
   * credential may still be alive, as far as this instance has seen.
   */
  giveBack?(slots: readonly string[]): Promise<readonly SlotOutcome[]>
  /** What the broker's identities lack or have in excess, for `mayfly doctor` and readiness. */
  check(): Promise<readonly Finding[]>
  close(): Promise<void>
}

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

export interface EndOrder {
  readonly lease: LeaseId
  readonly upstreamName: string
  readonly task: TaskId
  readonly agent: string
  readonly tenant: string
  /** The entitlement's target as it was when the lease was reserved. */
  readonly target: unknown
  readonly targetName: string
  readonly group: string | null
  readonly slot: string | null
  readonly handle: Readonly<Record<string, unknown>> | null
  readonly nativeExpiresAt: number | null
  readonly latestPossibleExpiry: number
}

export interface RevokeBatch {
  readonly group: string | null
  readonly orders: readonly EndOrder[]
  /** The group's other leases that must stay refused: not known dead yet. */
  readonly stillRefused: readonly EndOrder[]
  /**
   * Given with kills of many: what of the group must go on working. An upstream that can refuse many
   * at once, by what they have in common, reaches none of it. Others ignore it.
   */
  readonly use?: GroupUse
  readonly signal: AbortSignal
}

export type EndOutcome =
  | {
      readonly lease: LeaseId
      readonly ok: true
      readonly containment: 'enforced' | 'proved'
      /** The latest instant it can still work, as far as is known for sure. */
      readonly exposedUntil: number
      readonly proof?: ContainmentProof
      /** Refused together with others: none of its group's places is taken by it. */
      readonly sharesPlace?: true
    }
  | {
      readonly lease: LeaseId
      readonly ok: false
      readonly error: string
      /**
       * It says something of the upstream as a whole, which answers nothing or does not do what it
       * says it did; absent: maybe of this lease alone.
       */
      readonly blame?: 'upstream'
      /** As that of `UpstreamError`. */
      readonly retryAfterMs?: number
    }

export interface ProofOutcome {
  readonly lease: LeaseId
  readonly proof?: ContainmentProof
  /** It was seen accepted. Absent beside no proof: nothing could be seen. */
  readonly works?: true
}

export interface InventoryRequest {
  readonly groups: readonly string[]
  readonly slots: readonly string[]
}

/** One thing at the upstream, by the one of its lease's names that it bears there. */
export interface InventoryItem {
  readonly upstreamName?: string
  readonly slot?: string
  /** It holds for every lease of this group; with a name, for that one as far as it is of it. */
  readonly group?: string
  /** It refuses many without naming them: whether this lease is one of those. */
  refuses?(
    lease: Pick<
      EndOrder,
      'group' | 'task' | 'agent' | 'tenant' | 'handle' | 'nativeExpiresAt' | 'latestPossibleExpiry'
    >,
  ): boolean
  /** Readable, without secrets. */
  readonly what: string
  /** Whether the upstream accepts such a credential now; absent: this does not show it. */
  readonly works?: boolean
}

export type SlotOutcome =
  | { readonly slot: string; readonly ok: true }
  | { readonly slot: string; readonly ok: false; readonly error: string }

export interface Finding {
  /** `blocking`: nothing may be minted while it stands (P17). */
  readonly level: 'ok' | 'warning' | 'blocking'
  readonly what: string
  readonly fix?: string
}

/**
 * An upstream said no, or said nothing. The message is for operators and holds no secret: build it
 * from status codes and upstream error names, never from a client's raw error object.
 */
export class UpstreamError extends Error {
  /** `refused`: a listed answer that proves the call had no effect. */
  readonly outcome: 'refused' | 'unknown'
  /** The upstream's own name for it, where there is one. */
  readonly upstreamCode: string | undefined
  /** So long it asked to be left alone; 0: it has too much to do. Undefined: it said no such thing. */
  readonly retryAfterMs: number | undefined

  constructor(
    outcome: 'refused' | 'unknown',
    message: string,
    upstreamCode?: string,
    retryAfterMs?: number,
  ) {
    super(message)
    this.name = 'UpstreamError'
    this.outcome = outcome
    this.upstreamCode = upstreamCode
    this.retryAfterMs = retryAfterMs
  }
}

/** A `Retry-After` (RFC 9110 §10.2.3) in milliseconds, or 0 where a 429 comes without a usable one. */
export function retryAfterOf(
  { status, header }: { readonly status: number; readonly header: string | null | undefined },
  now: number,
): number | undefined {
  const value = header?.trim() ?? ''
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  if (Number.isFinite(ms) && value !== '') return Math.max(0, ms)
  return status === 429 ? 0 : undefined
}

/** A definition with its settings and target types closed over, as the rest of Mayfly holds it. */
export type AnyProviderDefinition = ProviderDefinition<unknown, unknown>

/** Declares a definition; inside it settings and targets keep their precise types. */
export function defineProvider<Settings, Target>(
  definition: ProviderDefinition<Settings, Target>,
): AnyProviderDefinition {
  // The registry parses settings and targets with this same definition before it calls back.
  return definition as unknown as AnyProviderDefinition
}
