import type { SelectorWire } from './selector.ts'

export interface BlockWire {
  id: string
  selector: SelectorWire
  /** It reaches no further than these; absent: every tenant. */
  tenants?: string[]
  reason: string
  created_by: string
  created_at: string
  expires_at?: string
  lifted_at?: string
  lifted_by?: string
  /** Its row is damaged: it stands against everybody until it is lifted. */
  unreadable?: true
}

export interface SignalWire {
  id: string
  source: string
  message_id: string
  received_at: string
  subject: SelectorWire
  level?: 'LOW' | 'MEDIUM' | 'HIGH'
  action: string
  reason: string
  expires_at?: string
  /** In its sender's words, and why it has no effect (action "note") where there is a reason. */
  about?: { event?: string; subject?: unknown; why?: string }
  kill?: string
  matched: { leases: number; tasks: number; agents: number }
  /** Its row is damaged: it counts as HIGH. */
  unreadable?: true
}

/** What a message would do if its source sent it now. */
export interface SignalTestWire {
  refused?: string
  signature?: 'right' | 'not-checked'
  message_id?: string
  about?: { event?: string; subject?: unknown; why?: string }
  /** Empty: nobody. */
  subjects?: SelectorWire[]
  level?: 'LOW' | 'MEDIUM' | 'HIGH'
  action?: 'kill' | 'block' | 'risk' | 'note'
  reason?: string
  ttl_seconds?: number
  matched?: { leases: number; tasks: number; agents: number }
}

export interface RiskWire {
  /** What says so: by it the risk is cleared. */
  signal: string
  subject: SelectorWire
  level: 'LOW' | 'MEDIUM' | 'HIGH'
  source: string
  reason: string
  since: string
  expires_at?: string
  /** Without a subject it is held against whoever its source may name. */
  unreadable?: true
}
