import type { Containment, Revocability } from '../lease.ts'
import type { SelectorWire } from './selector.ts'

export interface KillWire {
  id: string
  selector: SelectorWire
  /** It reaches no further than these; absent: every tenant. */
  tenants?: string[]
  reason: string
  ordered_by: string
  created_at: string
  block?: string
  dry_run: boolean
  /** ordering: committed, its leases follow; ending: some could still work; ended: none can. */
  state?: 'ordering' | 'ending' | 'ended'
  counts: { leases: number; tasks: number; agents: number }
  progress: Record<Containment, number> & {
    /** Neither proved nor expired yet. */
    remaining: number
    oldest_ending_since?: string
    exposed_until?: string
  }
  /** Only of a dry run. */
  blast_radius?: BlastRadiusWire
  /** Its row is damaged: order it again. */
  unreadable?: true
}

/** Whom a kill would hit; the lists hold the 50 with the most leases. */
export interface BlastRadiusWire {
  refusable: number
  /** Leases that their upstream refuses already. */
  refused: number
  /** Leases that only run out, whoever kills them. */
  runs_out: number
  exposed_until?: string
  upstreams: {
    provider: string
    revocability: Revocability
    refusable: boolean
    leases: number
    refused: number
    exposed_until: string
  }[]
  entitlements: { entitlement: string; leases: number }[]
  agents: { agent: string; tenant: string; tasks: number; leases: number }[]
  tasks: {
    id: string
    agent: string
    tenant: string
    /** The agent's own text. */
    purpose: string
    leases: number
    /** False: it goes on without these leases, unless it has ended. */
    ends: boolean
    ended: boolean
  }[]
}
