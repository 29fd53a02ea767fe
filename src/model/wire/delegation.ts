import type { IntentItemWire } from './intent.ts'

export interface DelegationWire {
  id: string
  task: string
  agent: string
  tenant: string
  purpose?: string
  intent: IntentItemWire[]
  created_at: string
  expires_at: string
  deadline: string
  decision: string
}

export interface DelegatedWire {
  delegation: DelegationWire
  token: string
}
