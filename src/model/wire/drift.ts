import type { DriftKind } from '../drift.ts'

/** One difference between an upstream and the store. */
export interface FindingWire {
  kind: DriftKind
  what: string
  upstream_name?: string
  slot?: string
  lease?: string
  works?: boolean
  repair: 'done' | 'possible' | 'failed' | 'none'
  error?: string
  advice: string
}

export interface ReconciliationWire {
  provider: string
  looked_at: string
  items?: number
  findings: FindingWire[]
  error?: string
}
