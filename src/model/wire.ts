/**
 * What travels over the HTTP API, as the server sends it and every client reads it (DESIGN §8).
 * Times are RFC 3339 in UTC, durations whole seconds, names in snake case.
 */

export type * from './wire/access-token.ts'
export type * from './wire/act.ts'
export type * from './wire/approval.ts'
export type * from './wire/audit.ts'
export type * from './wire/configured.ts'
export type * from './wire/credential.ts'
export type * from './wire/decision.ts'
export type * from './wire/delegation.ts'
export type * from './wire/drift.ts'
export type * from './wire/ending.ts'
export type * from './wire/intent.ts'
export type * from './wire/kill.ts'
export type * from './wire/lease.ts'
export type * from './wire/selector.ts'
export type * from './wire/task.ts'
export type * from './wire/trouble.ts'

export interface PageWire<T> {
  items: T[]
  next_cursor: string | null
}

/** RFC 9457 problem details; `code` is closed. */
export interface ProblemWire {
  type: string
  title: string
  status: number
  code: string
  detail?: string
  request_id: string
  errors?: { path: string; message: string }[]
  retry_after?: number
}
