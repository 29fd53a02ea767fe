/**
 * What the broker remembers. Every method is one unit of work: atomic, durable when its promise
 * resolves, its audit events in the same transaction (P12). A guard that does not match is a
 * value, never an exception; a failed commit rejects, and nothing of it happened.
 */
import type { Actor, AuditDraft, AuditEvent } from '../audit/events.ts'
import type {
  ApprovalId,
  BlockId,
  DecisionId,
  DelegationId,
  KillId,
  LeaseId,
  SignalId,
  TaskId,
} from '../ids.ts'
import type { Approval, ApprovalShown, ApprovalState } from '../model/approval.ts'
import type { Chain } from '../model/chain.ts'
import type { Delegation } from '../model/delegation.ts'
import type { GroupUse } from '../model/group-use.ts'
import type { IntentItem } from '../model/intent.ts'
import type { Containment, ContainmentProof, EndCause, Lane, Lease } from '../model/lease.ts'
import type { RiskLevel } from '../model/risk.ts'
import type { Selector } from '../model/selector.ts'
import type { Task, TaskCause, TaskOutcome } from '../model/task.ts'

export interface Store {
  readonly tasks: TaskStore
  readonly delegations: DelegationStore
  readonly approvals: ApprovalStore
  readonly leases: LeaseStore
  readonly endings: EndingStore
  readonly drift: DriftStore
  readonly kills: KillStore
  readonly signals: SignalStore
  readonly decisions: DecisionStore
  readonly acts: ActStore
  readonly audit: AuditStore
  readonly receipts: ReceiptStore
  /** Distinguishes writers of upstream documents; higher after an older database was restored. */
  readonly epoch: number
  /**
   * When this database was last found to have taken the place of its successor, and whether an
   * operator has said that it shall; undefined: that never happened. What was issued, used or ended
   * between its copy and then is unknown here.
   */
  restoration(): Restoration | undefined
  /** Records an operator's word together with a kill; undefined if none was waited for. */
  confirmRestoration(order: KillOrder): Promise<Kill | undefined>
  /** The latest instant this store has ever known (P5). */
  readonly highWater: number
  /** The world and risk mark that live leases were last held against as a whole; undefined before the first. */
  enforcedWorld(): Promise<string | undefined>
  noteEnforced(world: string): Promise<void>
  /** Providers whose leases are unfinished although `next` (upstream by provider) leaves them. */
  abandonedUpstreams(next: ReadonlyMap<string, string>): Promise<readonly AbandonedUpstream[]>
  /**
   * Unless any is abandoned, which it then answers: records `next` together with `events`. From
   * then on nothing is reserved at an upstream that its provider does not reach in `next`.
   */
  adoptUpstreams(
    next: ReadonlyMap<string, string>,
    events: readonly AuditDraft[],
  ): Promise<readonly AbandonedUpstream[]>
  /** Calls back after every commit that gave the ending queue or the timers something to do. */
  onWork(listener: () => void): void
  /** Whether a durable write would succeed now; rejects with the reason if not. */
  ready(): Promise<void>
  close(): Promise<void>
}

export interface Restoration {
  readonly at: number
  readonly confirmed: boolean
}

export interface AbandonedUpstream {
  readonly provider: string
  /** What it reached; undefined: not recorded. */
  readonly upstream: string | undefined
  readonly live: number
  /** Dead, but not cleaned up yet. */
  readonly dead: number
}

export interface Page {
  readonly limit: number
  readonly after: string | undefined
}

// Tasks -------------------------------------------------------------------------------------

export type NewTask = Pick<
  Task,
  | 'id'
  | 'agent'
  | 'tenant'
  | 'workload'
  | 'issuer'
  | 'proof'
  | 'key'
  | 'claims'
  | 'purpose'
  | 'intent'
  | 'labels'
  | 'createdAt'
  | 'deadline'
  | 'heartbeatSeconds'
> & { readonly tokenHash: string }

/**
 * Evidence or a DPoP proof that is good for one use; from `expiresAt` on it is refused anyway. What
 * was made before an older database was restored may have been used: it counts as used.
 */
export interface OneTimeEvidence {
  readonly id: string
  readonly issuedAt: number
  readonly expiresAt: number
}

/** The instance of a workload that opens a task, whose first key stays its key. */
export interface Instance {
  readonly name: string
  /** When its evidence was made; what it showed before a restore is unknown. */
  readonly issuedAt: number
  /** Until when a first key is pinned; later evidence of the same instance prolongs it. */
  readonly pinnedUntil: number
}

export type OpenTaskResult =
  | { readonly ok: true; readonly task: Task }
  | { readonly ok: false; readonly why: 'blocked'; readonly block: BlockId }
  | {
      readonly ok: false
      readonly why:
        | 'limit'
        | 'evidence-used'
        | 'proof-used'
        /** It was made before an older database was restored, and may have shown a key since. */
        | 'before-restore'
        | 'other-key'
        | 'key-missing'
        /** It is not there any more, for this agent, to be used now. */
        | 'delegation'
        | 'tree-limit'
    }

export interface TaskFilter {
  readonly tenants: readonly string[] | null
  readonly agent?: string
  readonly tenant?: string
  readonly state?: Task['state']
  /** Only what this task delegated. */
  readonly parent?: string
  /** Only this task and everything below it. */
  readonly tree?: string
}

export interface TaskStore {
  /**
   * Opens a task unless a live block, the agent's cap, spent evidence or the key its workload's
   * instance showed before stands against it; a first key is pinned. With a `delegation`, below the
   * task that delegated, and only if this is its first use.
   */
  open(
    task: NewTask,
    against: {
      readonly openTasksPerAgent: number
      readonly evidence: OneTimeEvidence | undefined
      /** The DPoP proof its key was shown with. */
      readonly proof?: OneTimeEvidence | undefined
      /** Absent: the evidence names its key itself, nothing is pinned. */
      readonly instance?: Instance | undefined
      readonly delegation?: { readonly id: DelegationId; readonly tasksPerTree: number } | undefined
      readonly decision: NewDecision
    },
  ): Promise<OpenTaskResult>
  /** Keeps what is good for one use; false if it was used before. Survives a restart. */
  spend(once: OneTimeEvidence, now: number): Promise<boolean>
  /**
   * The task whose token has this hash: of `id`, or, without one, any that is still open. An ended
   * task's token is dead, and only whoever holds it learns that.
   */
  byToken(tokenHash: string, id?: TaskId): Promise<Task | undefined>
  byId(id: TaskId): Promise<Task | undefined>
  /** The same for an operator's eyes, also where its row cannot be read as a whole. */
  shown(id: TaskId): Promise<Task | undefined>
  /** The tasks of its chain, nearest first; one that is gone is missing. */
  above(task: Pick<Task, 'chain'>): Promise<readonly Task[]>
  /** How many tasks it delegated to, ended ones too. */
  countChildren(id: TaskId): Promise<number>
  /** Moves the dead man's switch of an open task; undefined if it is no longer open. */
  heartbeat(id: TaskId, now: number): Promise<Task | undefined>
  /** Ends an open task, its descendants and all their leases; false if it was not open. */
  end(order: {
    readonly id: TaskId
    readonly cause: TaskCause
    readonly outcome: TaskOutcome | null
    readonly actor: Actor
    readonly now: number
  }): Promise<boolean>
  /** Open tasks past their deadline or silent too long, oldest first; also those nobody can read. */
  due(now: number, limit: number): Promise<readonly Pick<Task, 'id' | 'deadline'>[]>
  /** Gives each task with a heartbeat two fresh intervals: time nobody listened does not count. */
  forgiveSilence(now: number): Promise<number>
  /** The next instant at which a task may be due. */
  nextDue(): Promise<number | undefined>
  list(filter: TaskFilter, page: Page): Promise<readonly Task[]>
  /** How many tasks each agent has open; an agent without any is absent. */
  openCounts(): Promise<ReadonlyMap<string, number>>
}

// Delegations -------------------------------------------------------------------------------

export type NewDelegation = Omit<Delegation, 'usedAt' | 'child' | 'decision'> & {
  readonly tokenHash: string
}

export type DelegateResult =
  | { readonly ok: true; readonly delegation: Delegation }
  | { readonly ok: false; readonly why: 'blocked'; readonly block: BlockId }
  | { readonly ok: false; readonly why: 'task-ended' | 'limit' }

export interface DelegationStore {
  /** Records a delegation unless its task has ended, is blocked, or has passed on enough. */
  create(
    delegation: NewDelegation,
    against: { readonly delegationsPerTask: number; readonly decision: NewDecision },
  ): Promise<DelegateResult>
  /** Also one that is used or expired: it is consumed by `tasks.open` alone. */
  byToken(tokenHash: string): Promise<Delegation | undefined>
}

// Decisions ---------------------------------------------------------------------------------

export interface NewDecision {
  readonly id: DecisionId
  readonly at: number
  readonly action: string
  /** Who asked, for the audit log; absent: the agent itself. */
  readonly by?: Actor
  readonly outcome: 'permit' | 'deny' | 'needs-approval'
  readonly agent: string
  readonly tenant: string
  readonly workload: string
  readonly task: TaskId | null
  readonly entitlement: string | null
  /** Through whom the asking task came to its work; absent: nobody. */
  readonly chain?: Chain
  readonly policies: readonly string[]
  readonly rails: readonly string[]
  readonly reasons: readonly string[]
  readonly policyHash: string
  /** What was decided on, enough to decide it again; no secret. */
  readonly request: Readonly<Record<string, unknown>>
}

export interface DecisionRecord extends NewDecision {
  readonly chain: Chain
  readonly lease: LeaseId | null
  /** What shadow policies would have decided, where that is something else. */
  readonly shadow?: ShadowDifference
  /** Of what is shown to operators: some part of its row cannot be read and is left empty. */
  readonly unreadable?: true
}

/** A policy as it stood when decisions were made by it. */
export interface KeptPolicy {
  readonly id: string
  readonly file: string
  readonly text: string
}

/** A decision that shadow policies would have made differently. */
export interface ShadowDifference {
  readonly decision: DecisionId
  readonly outcome: NewDecision['outcome']
  readonly policies: readonly string[]
  readonly reasons: readonly string[]
  readonly policyHash: string
}

export interface DecisionFilter {
  readonly tenants: readonly string[] | null
  readonly agent?: string
  readonly task?: string
  readonly outcome?: DecisionRecord['outcome']
  /** Only from this instant on. */
  readonly since?: number
  /** Only those that shadow policies would have made differently. */
  readonly shadowDiffers?: true
}

export interface DecisionStore {
  /** Records a refusal, with its audit event. */
  refuse(decision: NewDecision): Promise<void>
  /** Keeps the text of a set that comes into force; the oldest make room. */
  keepPolicies(set: {
    readonly hash: string
    readonly policies: readonly KeptPolicy[]
    readonly now: number
  }): Promise<void>
  /** The set of that hash; undefined if it is not kept (any more). */
  policiesOf(hash: string): Promise<readonly KeptPolicy[] | undefined>
  /** Keeps what shadow policies would have decided; the oldest make room. */
  noteShadow(differences: readonly ShadowDifference[]): Promise<void>
  byId(id: DecisionId): Promise<DecisionRecord | undefined>
  list(filter: DecisionFilter, page: Page): Promise<readonly DecisionRecord[]>
}

// Approvals ---------------------------------------------------------------------------------

/** What an approval is asked for with, where there is none yet. */
export interface ApprovalRequest {
  readonly id: ApprovalId
  readonly grant: string
  readonly shown: ApprovalShown
  /** As asked for; what is issued may live shorter, where its task ends before. */
  readonly ttlSeconds: number
  readonly expiresAt: number
  /** The most that may be pending for its agent. */
  readonly pendingPerAgent: number
  /** The most its agent may ask for within an hour. */
  readonly perHourPerAgent: number
  /** How long after a denial its agent may not ask for the same entitlement. */
  readonly coolDownSeconds: number
  /** Whether whoever decides is told by webhook. */
  readonly notice: boolean
}

export type DecideApprovalResult =
  | { readonly ok: true; readonly approval: Approval }
  /** It was decided, used or made worthless before; as it is now. */
  | { readonly ok: false; readonly approval: Approval }

export interface ApprovalNotice {
  readonly approval: Approval
  /** Made before, in vain. */
  readonly attempts: number
}

export interface ApprovalStore {
  /**
   * Pending → granted, or pending or granted → denied: a yes can be taken back until it is used.
   * One that time, another policy set or another database made worthless expires instead.
   * Undefined: there is none of this id.
   */
  decide(order: {
    readonly id: ApprovalId
    readonly verdict: 'granted' | 'denied'
    readonly actor: Actor
    readonly reason: string | null
    /** Until when a granted one can be used. */
    readonly expiresAt: number
    readonly policyHash: string
    readonly now: number
  }): Promise<DecideApprovalResult | undefined>
  byId(id: ApprovalId): Promise<Approval | undefined>
  /** Pending or granted ones past their time → expired. Returns how many. */
  expire(order: { latest: number; now: number; limit: number }): Promise<number>
  /** The same for those asked for under other policies, or in a database restored since. */
  expireForeign(order: { policyHash: string; now: number; limit: number }): Promise<number>
  list(
    filter: {
      readonly tenants: readonly string[] | null
      readonly state?: ApprovalState
      readonly agent?: string
      readonly task?: string
      readonly tenant?: string
    },
    page: Page,
  ): Promise<readonly Approval[]>
  /** How many can be decided. */
  countPending(now: number): Promise<number>
  /** Pending ones of which whoever decides is to be told now. */
  noticesDue(now: number, limit: number): Promise<readonly ApprovalNotice[]>
  /** Told (`retryAt` null), or to be tried again. */
  noticed(id: ApprovalId, retryAt: number | null): Promise<void>
  /**
   * Calls back after each commit that changed this approval, until `stop` is called. Undefined: as
   * many wait for it already as may, or nobody may any more.
   */
  watch(id: ApprovalId, listener: () => void): { readonly stop: () => void } | undefined
  /** The broker stops: calls back whoever waits, and lets nobody wait from now on. */
  letGo(): void
}

// Acts --------------------------------------------------------------------------------------

/** One action of a task on one resource, permitted by policy and about to be done. */
export interface Act {
  readonly task: TaskId
  /** The lease it is done with, where it is said. */
  readonly lease: LeaseId | undefined
  /** Each entitlement it lies within, as selectors name it. */
  readonly within: readonly {
    readonly entitlement: string
    readonly provider: string
    readonly target: string
  }[]
  readonly touches: Task['touched']
  /** What it was decided on: the task and those above it, as they had been touched then. */
  readonly decidedOn: readonly Pick<Task, 'id' | 'touched'>[]
  /** The risk mark it was decided under; another one by now: to be decided again. */
  readonly riskMark?: string
  readonly limits: { readonly highImpactPerHourPerAgent: number }
  readonly decision: NewDecision
  readonly now: number
}

export type ActResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly why: 'task-ended' | 'lease-ended' | 'blocked' }
  | { readonly ok: false; readonly why: 'high-impact-pace'; readonly retryAt: number }
  /** A request or a signal changed what this one was decided on: to be decided again. */
  | { readonly ok: false; readonly why: 'touched-since' }

export interface ActStore {
  /**
   * Records a permit, unless what is read in the same transaction stands against it: the task or
   * lease has ended, a block or kill names it, its agent acted too often. Then that is recorded.
   */
  permit(act: Act): Promise<ActResult>
}

// Leases ------------------------------------------------------------------------------------

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

// The ending queue --------------------------------------------------------------------------

export interface QueuedEnding {
  readonly lease: Lease
  readonly lane: Lane
  readonly targetSpec: unknown
  /** How many of its group may be refused early at once, but for kills; null: no limit. */
  /** 0: it was reserved beyond those places. Null: it needs none. */
  readonly groupCapacity: number | null
}

export interface EndingStore {
  /** What is due at one provider: lanes in order, tenants in turn within a lane (P13). */
  due(provider: string, now: number, limit: number): Promise<readonly QueuedEnding[]>
  /** Every provider with something queued, and when its next is due. */
  nextDue(): Promise<ReadonlyMap<string, number>>
  /** The group's other leases whose denial must stay, because they are not known to be dead. */
  stillRefused(
    group: string,
    but: readonly LeaseId[],
    now: number,
  ): Promise<readonly QueuedEnding[]>
  /** Who has leases of the group that are not ordered to end, and which renewals may still land. */
  groupUse(group: string, now: number): Promise<GroupUse>
  /**
   * The upstream accepted (`enforced`) or was seen to refuse (`proved`, which finishes it). Nothing
   * happens if a mint landed since: what was asked by another `handle` says nothing about it. While
   * a renewal is under way the most that is known is `enforced`.
   */
  contained(order: {
    readonly id: LeaseId
    /** The lease's handle as the attempt knew it. */
    readonly handle: Lease['handle']
    readonly containment: Extract<Containment, 'enforced' | 'proved'>
    readonly exposedUntil: number
    readonly proof: ContainmentProof | undefined
    /** It takes none of its group's places, because others are refused by the same entry. */
    readonly sharesPlace?: true
    readonly nextDue: number | null
    readonly now: number
  }): Promise<void>
  /** An attempt that did not work: attempts, error, next try. */
  postponed(order: {
    readonly id: LeaseId
    readonly error: string
    readonly nextDue: number
    readonly counts: 'attempt' | 'wait'
    readonly now: number
  }): Promise<void>
  /** Ending leases past `latestPossibleExpiry` → ended (expired). Returns how many. */
  runOut(now: number, limit: number): Promise<number>
  nextRunOut(): Promise<number | undefined>
  /** The upstream side of a dead lease is cleaned up; its pool slot, if any, is free again. */
  released(id: LeaseId, now: number): Promise<void>
  /** Makes one ending, or all a caller may see, or those of one provider, due now. Returns how many. */
  retryNow(
    which: {
      readonly lease?: LeaseId
      readonly provider?: string
      readonly tenants: readonly string[] | null
    },
    actor: Actor,
    now: number,
  ): Promise<number>
  list(
    filter: { readonly tenants: readonly string[] | null; readonly provider?: string },
    page: Page,
  ): Promise<readonly QueuedEnding[]>
  /**
   * How many wait for each upstream, and since when the oldest has been ending; without those that
   * only run out, which nothing can hasten. A provider without any is absent.
   */
  owed(): Promise<
    readonly { readonly provider: string; readonly count: number; readonly oldest: number }[]
  >
}

// Drift ---------------------------------------------------------------------------------------

/** Where a walk over leases stands; the next page begins behind it. */
export interface DriftPage {
  readonly after: readonly [number, number] | undefined
  readonly limit: number
}

export interface DriftPaged {
  readonly leases: readonly QueuedEnding[]
  /** Undefined: that was all. */
  readonly next: DriftPage['after']
}

/** What is read and written where an upstream turns out to differ from what is known here. */
export interface DriftStore {
  /** Leases that count as refused and could still be alive, those that die first ahead. */
  contained(provider: string, now: number, page: DriftPage): Promise<DriftPaged>
  /** Active leases; the first number of a place in this walk says nothing. */
  active(provider: string, page: DriftPage): Promise<DriftPaged>
  /** What holds each slot of a provider, live or still to be cleaned up. */
  holders(provider: string): Promise<ReadonlyMap<string, Lease>>
  /**
   * Ended or failed → ending, or ending and enforced → unknown: the upstream accepts it after all.
   * It is ended again at once, for the cause it ended for, in the lane that had. False where the
   * lease is not any more what it was `seen` as.
   */
  lose(order: {
    readonly seen: Lease
    /** What showed it, for the audit log. */
    readonly what: string
    /** Until when it could live, where it outlived what was thought its latest. */
    readonly until: number
    readonly actor: Actor
    readonly now: number
  }): Promise<boolean>
  /** Makes a dead lease's clean-up due again; false if it is no dead one or was due anyway. */
  cleanAgain(id: LeaseId, now: number): Promise<boolean>
}

// Kills, blocks -----------------------------------------------------------------------------

export interface Block {
  readonly id: BlockId
  readonly selector: Selector
  /** Narrows the selector to tenants its author may act for; null: all. */
  readonly tenants: readonly string[] | null
  readonly reason: string
  readonly createdBy: string
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly liftedAt: number | null
  readonly liftedBy: string | null
  /** Whom it names cannot be read: it stands against everybody within `tenants` until lifted (P3). */
  readonly unreadable: boolean
}

export interface KillCounts {
  readonly leases: number
  readonly tasks: number
  readonly agents: number
}

/** Whom a kill would hit, and what of it could still work; each list holds the largest. */
export interface BlastRadius {
  readonly counts: KillCounts
  readonly upstreams: readonly {
    readonly provider: string
    readonly revocability: Lease['revocability']
    readonly leases: number
    /** The latest of theirs. */
    readonly exposedUntil: number
  }[]
  readonly entitlements: readonly { readonly entitlement: string; readonly leases: number }[]
  readonly agents: readonly {
    readonly agent: string
    readonly tenant: string
    readonly tasks: number
    readonly leases: number
  }[]
  readonly tasks: readonly {
    readonly id: TaskId
    readonly agent: string
    readonly tenant: string
    readonly purpose: string
    readonly leases: number
    /** False: it only loses these leases. */
    readonly ends: boolean
  }[]
}

/** How far the leases of a kill have come that were given its order. */
export interface KillProgress {
  readonly containments: Readonly<Record<Containment, number>>
  /** Not ended yet: neither proved to be dead nor expired. */
  readonly remaining: number
  /** Since when the one of these has been ending that began first. */
  readonly oldest: number | undefined
  /** Until when one of these can still work. */
  readonly exposedUntil: number | undefined
}

export interface Kill {
  readonly id: KillId
  readonly selector: Selector
  readonly tenants: readonly string[] | null
  readonly reason: string
  readonly orderedBy: string
  readonly createdAt: number
  readonly block: BlockId | null
  readonly counts: KillCounts
  /** False while leases it matches may still be waiting for their order. */
  readonly done: boolean
  /** Some part of it cannot be read; if that is whom it names, it orders nothing more. */
  readonly unreadable: boolean
}

export interface KillOrder {
  readonly id: KillId
  readonly selector: Selector
  readonly tenants: readonly string[] | null
  readonly reason: string
  readonly actor: Actor
  readonly cause: Extract<EndCause, 'killed' | 'signal'>
  /** Also ends the tasks that the selector matches as a whole. */
  readonly endsTasks: boolean
  readonly lane: Extract<Lane, 'kill' | 'end'>
  readonly block: { readonly id: BlockId; readonly expiresAt: number | null } | undefined
  /** The signal that orders it: lifting its block takes back the risk that came with it. */
  readonly signal?: SignalId
  readonly now: number
}

export interface KillStore {
  /** Commits the order and its block; its leases follow by `advance` (P8). */
  order(order: KillOrder): Promise<Kill>
  /** What an order would match, changing nothing. */
  count(selector: Selector, tenants: readonly string[] | null): Promise<KillCounts>
  /** The same with whom and what, up to `limit` of each. */
  blastRadius(
    selector: Selector,
    tenants: readonly string[] | null,
    limit: number,
  ): Promise<BlastRadius>
  /** Gives up to `limit` further leases and tasks of one open kill their order; kills take turns. */
  advance(now: number, limit: number): Promise<{ readonly more: boolean; readonly moved: number }>
  byId(id: KillId): Promise<Kill | undefined>
  progress(id: KillId): Promise<KillProgress>
  blocks(
    filter: {
      readonly tenants: readonly string[] | null
      readonly live: boolean
      readonly now: number
    },
    page: Page,
  ): Promise<readonly Block[]>
  blockById(id: BlockId): Promise<Block | undefined>
  /**
   * Lifts a live block; undefined if there is none of that id. Risk that the same signal set is
   * taken back with it: to lift a block is to call its alarm false or over.
   */
  lift(order: {
    readonly id: BlockId
    readonly actor: Actor
    readonly now: number
  }): Promise<Block | undefined>
  liveBlocks(now: number): Promise<readonly Block[]>
}

// Signals and risk --------------------------------------------------------------------------

export interface Signal {
  readonly id: SignalId
  readonly source: string
  readonly messageId: string
  readonly bodyHash: string
  readonly receivedAt: number
  readonly subject: Selector
  readonly effective: readonly Selector[]
  readonly level: RiskLevel | null
  /** `note`: kept, without effect. */
  readonly action: 'kill' | 'block' | 'risk' | 'note'
  readonly reason: string
  readonly expiresAt: number | null
  /** In its sender's words, where the format is not our own. */
  readonly about: SignalAbout | null
  readonly kill: KillId | null
  readonly matched: KillCounts
  /** Some part of it cannot be read: it is HIGH (P3), and `effective` may name nobody. */
  readonly unreadable: boolean
}

export interface SignalAbout {
  readonly event?: string
  readonly subject?: unknown
  /** Why it has no effect. */
  readonly why?: string
}

/** A signal to be kept; what it does not say is as for a word in our own format. */
export interface NewSignal
  extends Omit<Signal, 'kill' | 'matched' | 'unreadable' | 'about' | 'effective'> {
  /** Empty: nobody, with action `note` and no level. */
  readonly effective: readonly Selector[]
  readonly about?: SignalAbout
  /** Only within one topic does a later word replace an earlier one. */
  readonly topic?: string
  /** When it happened; one that is earlier than another of its topic has no effect any more. */
  readonly at?: number
  /** It replaces nothing that is higher or stays longer, and none that is later makes it void. */
  readonly raisesOnly?: true
}

export type SignalResult =
  | { readonly ok: true; readonly signal: Signal; readonly repeated: boolean }
  | { readonly ok: false; readonly why: 'other-body' }

export interface SignalStore {
  /**
   * Keeps a signal with its effect, in one commit: the same id and body again has no second
   * effect, the same id with another body is refused. One that says when it happened, and comes
   * after a later one of its source, subject and topic, is kept without effect.
   */
  receive(signal: NewSignal, kills: readonly KillOrder[]): Promise<SignalResult>
  /** Unexpired signals that carry a level, newest of each source and subject; unreadable ones too. */
  risks(now: number): Promise<readonly Signal[]>
  /** Another text whenever another set of them counts; the same after a restart. */
  riskMark(now: number): Promise<string>
  /**
   * Takes back what these signals say of risk, on an operator's word. Returns those it still
   * counted; their blocks stay.
   */
  clear(order: {
    readonly ids: readonly SignalId[]
    readonly actor: Actor
    readonly reason: string
    readonly now: number
  }): Promise<readonly Signal[]>
  list(filter: { readonly source?: string }, page: Page): Promise<readonly Signal[]>
}

// Audit -------------------------------------------------------------------------------------

export interface AuditStore {
  append(events: readonly AuditDraft[]): Promise<void>
  head(): Promise<{ readonly seq: number; readonly hash: string; readonly at: number }>
  /** Events with `seq` above `after`, in order. */
  read(
    after: number,
    limit: number,
    filter?: {
      readonly tenants?: readonly string[] | null
      readonly lease?: string
      readonly task?: string
    },
  ): Promise<readonly AuditEvent[]>
}

// Receipts ----------------------------------------------------------------------------------

/** Where the audit log speaks of something. */
export type AuditPlace = Pick<AuditEvent, 'seq' | 'hash' | 'at' | 'actor'>

/** What became of one lease that a kill ordered to end. */
export type KilledLease = Pick<
  Lease,
  'id' | 'state' | 'containment' | 'proof' | 'cause' | 'exposedUntil' | 'endedAt'
>

export interface ReceiptStore {
  /**
   * A lease, the event that ordered its end if one did, and the last event about it, all as of one
   * moment.
   */
  ofLease(id: LeaseId): Promise<
    | {
        readonly lease: Lease
        readonly ordered: AuditPlace | undefined
        readonly last: AuditPlace | undefined
      }
    | undefined
  >
  /** The event whose commit acknowledged a kill. */
  orderOfKill(kill: Pick<Kill, 'id' | 'createdAt'>): Promise<AuditPlace | undefined>
  /** The leases that got their order from a kill, by id, from behind `after` on. */
  leasesOfKill(id: KillId, page: Page): Promise<readonly KilledLease[]>
}
