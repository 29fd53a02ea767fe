export interface AuditEventWire {
  seq: number
  at: string
  type: string
  actor: string
  tenant?: string
  task?: string
  lease?: string
  data: Record<string, unknown>
  prev: string
  hash: string
  /** Its row is damaged: what cannot be read is left empty. */
  unreadable?: true
}

export interface AuditHeadWire {
  seq: number
  hash: string
  at: string
}
