import type { Revocability } from '../lease.ts'
import type { IntentItemWire } from './intent.ts'

export interface RequestableWire {
  entitlement: string
  provider: string
  target: string
  ceiling: IntentItemWire[]
  default_ttl_seconds: number
  max_ttl_seconds: number
  zone: string
  revocability: Revocability
  residuals: string[]
}

export interface ProviderWire {
  id: string
  type: string
  /** Open: it failed too often in that direction; nothing is minted there meanwhile. */
  circuits: Record<'mint' | 'revoke', { open: boolean; failures: number }>
  /** Why nothing is minted there now that would have to be ended early. */
  problem?: string
}

export interface AgentWire {
  id: string
  tenant: string
  owner: string
  proof: string
  open_tasks: number
  active_leases: number
  risk: 'LOW' | 'MEDIUM' | 'HIGH'
  blocked: boolean
}

export interface EntitlementWire {
  id: string
  tenants: string[]
  provider: string
  target: string
  ceiling: IntentItemWire[]
  zone: string
  default_ttl_seconds: number
  max_ttl_seconds: number
  revocability: string
  active_leases: number
}

export interface ReloadWire {
  applied: boolean
  /** What would change, one readable line each. */
  changes: string[]
  /** How many live leases it ends. */
  would_end: number
  /** Present when it waits: repeat the call with `confirm: <this>`. */
  confirm?: string
}
