import type { Actor } from '../audit/events.ts'
import type { BlockId, LeaseId, TaskId } from '../ids.ts'
import type { Approval } from '../model/approval.ts'
import type { IntentItem } from '../model/intent.ts'
import type { EndCause, Lane, Lease } from '../model/lease.ts'
import type { Selector } from '../model/selector.ts'
import type { Task } from '../model/task.ts'
import type { ApprovalRequest } from './approval-store.ts'
import type { NewDecision } from './decision-store.ts'
import type { Page } from './page.ts'

export interface Reservation {
  readonly id: LeaseId
  readonly upstreamName: string
  readonly task: TaskId
  readonly entitlement: string
  readonly provider: string
  /** Where it will be minted, and alone can be ended. */
  readonly upstream: string
  readonly target: string
  readonly targetSpec: unknown
  readonly group: string | null
  readonly intent: readonly IntentItem[]
  readonly ttlSeconds: number
  readonly nativeFloorSeconds: number
  readonly now: number
  readonly expiresAt: number
  readonly latestPossibleExpiry: number
  readonly scope: Readonly<Record<string, unknown>>
  readonly residuals: readonly string[]
  readonly revocability: Lease['revocability']
  readonly slots: readonly string[] | undefined
  /** The most leases of its group that may be refused early at once; undefined: no limit. */
  readonly groupCapacity: number | undefined
  /** Whether leases of several tenants may be in its group. */
  readonly groupShared: boolean
  /** Its entitlement takes it even if only a kill could end it early, for want of such a place. */
  readonly acceptsExpiry: boolean
  readonly idempotency: { readonly key: string; readonly requestHash: string } | undefined
  readonly touches: Task['touched']
  /** What it was decided on: the asking task and those above it, as they had been touched then. */
  readonly decidedOn: readonly Pick<Task, 'id' | 'touched'>[]
  /** The risk mark it was decided under; another one by now: to be decided again. */
  readonly riskMark?: string
  /** Present where the policies want one: without it nothing is reserved. */
  readonly approval?: ApprovalRequest | undefined
  readonly limits: {
    readonly activeLeasesPerTask: number
    readonly activeLeasesPerAgent: number
    readonly highImpactPerHourPerAgent: number
  }
  readonly decision: NewDecision
}

export type ReserveResult =
  | { readonly ok: true; readonly lease: Lease; readonly replaced: LeaseId | undefined }
  | { readonly ok: false; readonly why: 'blocked'; readonly block: BlockId }
  /** A request or a signal changed what this one was decided on: to be decided again. */
  | { readonly ok: false; readonly why: 'touched-since' }
  | {
      readonly ok: false
      readonly why: 'high-impact-pace' | 'approval-cool-down' | 'approval-pace' | 'no-slot'
      readonly retryAt: number
    }
  /** Somebody has to say yes first: this is where that is asked, or was asked before. */
  | { readonly ok: false; readonly why: 'approval'; readonly approval: Approval }
  | {
      readonly ok: false
      readonly why:
        | 'task-ended'
        | 'task-limit'
        | 'agent-limit'
        | 'moved'
        | 'capacity'
        | 'tenant-share'
        | 'agent-share'
        | 'in-flight'
        | 'other-body'
        | 'approval-limit'
    }

/** What an upstream answered, without its secret. */
export interface MintFacts {
  readonly expiresAt: number
  readonly nativeExpiresAt: number
  readonly latestPossibleExpiry: number
  readonly handle: Readonly<Record<string, unknown>>
}

export type ActivateResult =
  | { readonly ok: true; readonly lease: Lease }
  /** A kill, block or end came between: the lease is ending and nothing may be answered. */
  | { readonly ok: false; readonly lease: Lease }

/** How long an access can last at most, as known at one moment. */
export type Exposure = Pick<Lease, 'latestPossibleExpiry' | 'exposedUntil'>

export interface LeaseFilter {
  readonly tenants: readonly string[] | null
  readonly state?: Lease['state'] | 'live'
  readonly agent?: string
  readonly task?: string
  readonly tenant?: string
  readonly entitlement?: string
  readonly provider?: string
}

export interface LeaseStore {
  /**
   * The durable write-ahead of a mint (P1): task still open, no block, caps, capacity, a free slot,
   * the idempotency key, all read in the transaction that writes it. A finished request with the
   * same key is replaced: its lease ends here (P9). Where it takes an approval, a granted one of
   * exactly this grant is consumed here; without one it is only asked for, once.
   */
  reserve(order: Reservation): Promise<ReserveResult>
  /** Reserved → active with what was minted; re-reads kills and blocks ordered since (P8). */
  activate(id: LeaseId, facts: MintFacts, now: number): Promise<ActivateResult>
  /** Reserved → failed: the upstream surely minted nothing. */
  fail(id: LeaseId, error: string, now: number): Promise<void>
  /** Reserved → ending, or a renewal's end: the upstream may have minted; it is chased (P1). */
  unknownOutcome(id: LeaseId, error: string, now: number): Promise<void>
  /** Commits the later `latestPossibleExpiry` before the upstream is asked to renew. */
  beginRenewal(order: {
    readonly id: LeaseId
    readonly expiresAt: number
    readonly latestPossibleExpiry: number
    readonly decision: NewDecision
    readonly now: number
  }): Promise<
    | { readonly ok: true; readonly lease: Lease; readonly before: Exposure }
    | { readonly ok: false; readonly why: 'not-active' | 'in-flight' }
    | { readonly ok: false; readonly why: 'blocked'; readonly block: BlockId }
  >
  /** Active → active, one generation on; or not, when something ended it meanwhile. */
  finishRenewal(id: LeaseId, facts: MintFacts, now: number): Promise<ActivateResult>
  /**
   * The lease lives on to its old expiry. `refused`: surely nothing was prolonged, and the lease is
   * as exposed as it was `before`; `unknown`: the later `latestPossibleExpiry` stands, because it
   * may have been.
   */
  failRenewal(
    id: LeaseId,
    failure: { error: string; outcome: 'refused' | 'unknown'; before: Exposure },
  ): Promise<void>
  /** Reserved or active → ending. Undefined if it was already past that. */
  end(order: {
    readonly id: LeaseId
    readonly cause: EndCause
    readonly lane: Lane
    readonly actor: Actor
    readonly now: number
  }): Promise<Lease | undefined>
  /** Active leases whose expiry `latest` has passed → ending, in the expiry lane. Returns how many. */
  expire(order: { latest: number; now: number; limit: number }): Promise<number>
  nextExpiry(): Promise<number | undefined>
  /** After a start: what was reserved or renewing when the process died has an unknown outcome. */
  settleAfterRestart(now: number, limit: number): Promise<number>
  /**
   * While running: what a mint or renewal left because its own end could not be committed (a full
   * disk). A mint older than any call may take is chased; a renewal's end is written down after
   * all, and the lease can be renewed again. Returns how many.
   */
  settleStranded(now: number, limit: number): Promise<number>
  byId(id: LeaseId): Promise<Lease | undefined>
  /** The same for an operator's eyes, also where its row cannot be read as a whole. */
  shown(id: LeaseId): Promise<Lease | undefined>
  /**
   * The lease if it is active, no kill that has not reached it yet names it (P8), and it is not one
   * that came back with a restored database.
   */
  honoured(id: LeaseId): Promise<Lease | undefined>
  /** The intent and configured target it was reserved with. */
  orderOf(
    id: LeaseId,
  ): Promise<{ readonly intent: readonly IntentItem[]; readonly targetSpec: unknown } | undefined>
  list(filter: LeaseFilter, page: Page): Promise<readonly Lease[]>
  endedOfTask(task: TaskId, since: number): Promise<readonly Lease[]>
  /** Live leases by what decides about them alike, for re-decision on reload. */
  activeClasses(): Promise<
    readonly { readonly agent: string; readonly entitlement: string; readonly count: number }[]
  >
  activeOfClass(agent: string, entitlement: string): Promise<readonly LeaseId[]>
  /** Live leases that a selector names, also those held in the name of whom it names. */
  activeNamed(selector: Selector): Promise<readonly LeaseId[]>
  countActive(of: {
    readonly agent?: string
    readonly task?: string
    readonly entitlement?: string
  }): Promise<number>
}
