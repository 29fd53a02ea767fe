import type { EndOrder } from './end.ts'

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
