import type { DriftKind } from '../model/drift.ts'
import type { Lease } from '../model/lease.ts'

/** One difference between an upstream and the store. */
export interface Drift {
  readonly kind: DriftKind
  readonly what: string
  readonly upstreamName?: string
  readonly slot?: string
  readonly lease?: Lease
  /** Whether the upstream accepts it, as far as it was seen. */
  readonly works?: boolean
}

/**
 * How far a run may go. `containment`: what is accepted again is ended again, what was left over is
 * cleaned up; nothing that could let anything work. `everything`: an operator's word, by which slots
 * that are off and surely dead are given back, too.
 */
export type Repairs = 'nothing' | 'containment' | 'everything'

export interface Finding {
  readonly drift: Drift
  /** `possible`: not asked for; `none`: nobody can but the operator; else why it did not work. */
  readonly repair: 'done' | 'possible' | 'none' | { readonly failed: string }
}

/** What whoever reads a finding can do about it. */
export const ADVICE: Readonly<Record<DriftKind, string>> = {
  'containment-lost':
    'it is ended again by itself (mayfly endings ls); find out who changed it upstream',
  'died-early':
    'its holder is refused upstream: end the lease, and find out who took it away there',
  'unknown-lease':
    'never removed by mayfly: it is of an older or restored database, or of another installation. What refuses something stays until that is surely dead; what works has to be ended upstream, by this name',
  'left-over': 'it is cleaned up by itself; it lets nobody do anything',
  'slot-off':
    'nothing is minted on it meanwhile; if nobody disabled it on purpose, mayfly reconcile switches it on once everything minted on it is surely dead',
  unseen: 'mayfly doctor says which right is missing; until then nothing is known of it',
}
