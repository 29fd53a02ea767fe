import type { Containment, EndCause, Lane } from '../lease.ts'

export interface EndingWire {
  lease: string
  provider: string
  target: string
  agent: string
  tenant: string
  lane: Lane
  containment: Containment
  cause?: EndCause
  ending_since: string
  age_seconds: number
  attempts: number
  next_try_at?: string
  last_error?: string
  exposed_until: string
  /** Its row is damaged: what cannot be read is left empty. */
  unreadable?: true
}
