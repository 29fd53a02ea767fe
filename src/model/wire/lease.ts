import type { Containment, EndCause, LeaseState } from '../lease.ts'
import type { ActWire } from './act.ts'
import type { CredentialWire } from './credential.ts'

export interface LeaseWire {
  id: string
  task: string
  agent: string
  /** Absent where nobody delegated. */
  act?: ActWire
  tenant: string
  entitlement: string
  provider: string
  target: string
  state: LeaseState
  containment?: Containment
  proof?: { method: string; regions?: string[]; at: string }
  cause?: EndCause
  generation: number
  created_at: string
  expires_at: string
  native_expires_at?: string
  exposed_until: string
  ended_at?: string
  upstream_name: string
  scope: Record<string, unknown>
  residuals: string[]
  decision: string
  /** The one it took, if it took one. */
  approval?: string
  /** Its row is damaged: what cannot be read is left empty. */
  unreadable?: true
}

export interface IssuedWire {
  lease: LeaseWire
  credential: CredentialWire
}

export interface RenewedWire extends IssuedWire {
  generation: number
}
