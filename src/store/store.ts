/**
 * What the broker remembers. Every method is one unit of work: atomic, durable when its promise
 * resolves, its audit events in the same transaction (P12). A guard that does not match is a
 * value, never an exception; a failed commit rejects, and nothing of it happened.
 */
import type { AuditDraft } from '../audit/events.ts'
import type { UpstreamWriter } from '../model/upstream-writer.ts'
import type { ActStore } from './act-store.ts'
import type { ApprovalStore } from './approval-store.ts'
import type { AuditStore } from './audit-store.ts'
import type { DecisionStore } from './decision-store.ts'
import type { DelegationStore } from './delegation-store.ts'
import type { DriftStore } from './drift-store.ts'
import type { EndingStore } from './ending-store.ts'
import type { Kill, KillOrder, KillStore } from './kill-store.ts'
import type { LeaseStore } from './lease-store.ts'
import type { ReceiptStore } from './receipt-store.ts'
import type { SignalStore } from './signal-store.ts'
import type { TaskStore } from './task-store.ts'

export type * from './act-store.ts'
export type * from './approval-store.ts'
export type * from './audit-store.ts'
export type * from './decision-store.ts'
export type * from './delegation-store.ts'
export type * from './drift-store.ts'
export type * from './ending-store.ts'
export type * from './kill-store.ts'
export type * from './lease-store.ts'
export type * from './page.ts'
export type * from './receipt-store.ts'
export type * from './signal-store.ts'
export type * from './task-store.ts'

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
  readonly writer: UpstreamWriter
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
