/** The closed catalogue of what the audit log records (P12). */
const AUDIT_TYPES = [
  'broker.started',
  'broker.stopped',
  'restore.detected',
  'restore.confirmed',
  'config.reloaded',
  'task.opened',
  'task.refused',
  'task.ended',
  'delegation.created',
  'delegation.used',
  'delegation.refused',
  'approval.requested',
  'approval.granted',
  'approval.denied',
  'approval.expired',
  'approval.consumed',
  'credential.refused',
  'action.permitted',
  'action.refused',
  'lease.reserved',
  'lease.activated',
  'lease.failed',
  'lease.renewing',
  'lease.renewed',
  'lease.landed',
  'lease.ending',
  'lease.contained',
  'lease.ended',
  'lease.quarantined',
  'lease.released',
  'lease.containment_lost',
  'slot.given_back',
  'ending.retried',
  'kill.ordered',
  'kill.quarantined',
  'block.created',
  'block.lifted',
  'signal.received',
  'signal.refused',
  'risk.changed',
] as const

export type AuditType = (typeof AUDIT_TYPES)[number]

/**
 * Who did it: `agent:<id>`, `operator:<name>`, `source:<name>`, `gateway:<name>`,
 * `resource-server:<name>`, or `mayfly` itself.
 */
export type Actor =
  | `agent:${string}`
  | `operator:${string}`
  | `source:${string}`
  | `gateway:${string}`
  | `resource-server:${string}`
  | 'mayfly'

/** An event before it takes its place in the chain. `data` holds no secret and no raw error. */
export interface AuditDraft {
  readonly type: AuditType
  readonly actor: Actor
  readonly tenant?: string
  readonly task?: string
  readonly lease?: string
  readonly data: Readonly<Record<string, unknown>>
}

/** An event in its place: `seq` counts from 1 without gaps, `hash` covers it and `prev`. */
export interface AuditEvent extends AuditDraft {
  readonly seq: number
  /** RFC 3339 with milliseconds, UTC. */
  readonly at: string
  readonly prev: string
  readonly hash: string
  /** Some part of its row cannot be read and is left empty. */
  readonly unreadable?: true
}
