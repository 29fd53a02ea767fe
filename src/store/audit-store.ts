import type { AuditDraft, AuditEvent } from '../audit/events.ts'

export interface AuditStore {
  append(events: readonly AuditDraft[]): Promise<void>
  head(): Promise<{ readonly seq: number; readonly hash: string; readonly at: number }>
  /** Events with `seq` above `after`, in order. */
  read(
    after: number,
    limit: number,
    filter?: {
      readonly tenants?: readonly string[] | null
      readonly lease?: string
      readonly task?: string
    },
  ): Promise<readonly AuditEvent[]>
}
