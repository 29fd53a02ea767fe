import type { AuditEvent } from '../audit/events.ts'
import type { KillId, LeaseId } from '../ids.ts'
import type { Lease } from '../model/lease.ts'
import type { Kill } from './kill-store.ts'
import type { Page } from './page.ts'

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
