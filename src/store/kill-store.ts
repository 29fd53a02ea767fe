import type { Actor } from '../audit/events.ts'
import type { BlockId, KillId, SignalId, TaskId } from '../ids.ts'
import type { Containment, EndCause, Lane, Lease } from '../model/lease.ts'
import type { Selector } from '../model/selector.ts'
import type { Page } from './page.ts'

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
    /** Of them those that the upstream has accepted to refuse already. */
    readonly refused: number
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
    /** It is over already, these leases of it are not. */
    readonly ended: boolean
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
  /** All of them, newest first. */
  list(page: Page): Promise<readonly Kill[]>
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
