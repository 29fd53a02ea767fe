/**
 * The plug-in contract between Mayfly and one kind of upstream.
 *
 * A definition is pure: it validates its own settings and targets, teaches its vocabulary, and
 * compiles an intent into the upstream's own least privilege. An instance talks to one upstream.
 * What an upstream cannot do is absent from the instance, never a no-op that succeeds.
 */

import type { z } from 'zod'
import type { Refusal, Vocabulary } from './model/intent.ts'
import type { ProviderContext } from './provider/context.ts'
import type { DescribeRequest, Description } from './provider/description.ts'
import type { Doubt } from './provider/doubt.ts'
import type { EndOrder, EndOutcome, ProofOutcome, RevokeBatch } from './provider/end.ts'
import type { Finding } from './provider/finding.ts'
import type { InventoryItem, InventoryRequest, SlotOutcome } from './provider/inventory.ts'
import type { Minted, MintOrder } from './provider/mint.ts'
import type { AccessTokens } from './provider/own-tokens.ts'

export type * from './provider/context.ts'
export type * from './provider/description.ts'
export type * from './provider/doubt.ts'
export type * from './provider/end.ts'
export type * from './provider/finding.ts'
export type * from './provider/inventory.ts'
export type * from './provider/mint.ts'
export type * from './provider/own-tokens.ts'
export * from './provider/upstream-error.ts'

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
  /**
   * Where an upstream says yes before anything is to be seen of it: looks whether it shows what it
   * accepted, and tries again where it does not. Every group on which its yes is in doubt by now.
   * Asked every few seconds; costs nothing where nothing was accepted since.
   */
  doubts?(): Promise<readonly Doubt[]>
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
  /**
   * The upstream's clock as its answers told it, never ahead of it; undefined before the first. What
   * expired there by it is dead, however ours was set. Absent: it never tells the time.
   */
  upstreamTime?(): number | undefined
  /** What the broker's identities lack or have in excess, for `mayfly doctor` and readiness. */
  check(): Promise<readonly Finding[]>
  close(): Promise<void>
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
