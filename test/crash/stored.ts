import Sqlite from 'better-sqlite3'
import type { ChainedEvent } from '../../src/audit/verify.ts'

export interface StoredLease {
  readonly id: string
  readonly upstream_name: string
  readonly state: string
  readonly containment: string | null
  readonly revocability: string
  readonly exposed_until: number
  readonly ended_at: number | null
  readonly renewing: number
  readonly last_error: string | null
  readonly approval: string | null
}

/** What the database file says once nobody has it open. */
export interface Stored {
  readonly leases: ReadonlyMap<string, StoredLease>
  readonly leasesByName: ReadonlyMap<string, StoredLease>
  readonly taskStates: ReadonlyMap<string, string>
  /** Tasks that work was passed on to. */
  readonly children: ReadonlySet<string>
  readonly delegations: ReadonlyMap<string, { readonly child: string | null }>
  readonly approvals: ReadonlyMap<string, { readonly state: string }>
  /** Kills by id, with the instant until which each blocks; null: until lifted. */
  readonly kills: ReadonlyMap<string, { open: number; blockedUntil: number | null | undefined }>
  readonly audit: readonly ChainedEvent[]
}

export function readStored(path: string): Stored {
  const database = new Sqlite(path, { readonly: true })
  try {
    // The columns are those of the statements; SQLite says nothing about their types.
    const all = <T>(statement: string) => database.prepare(statement).all() as T[]
    const leases = all<StoredLease>('select * from leases')
    return {
      leases: new Map(leases.map((lease) => [lease.id, lease])),
      leasesByName: new Map(leases.map((lease) => [lease.upstream_name, lease])),
      taskStates: new Map(
        all<{ id: string; state: string }>('select id, state from tasks').map((task) => [
          task.id,
          task.state,
        ]),
      ),
      children: new Set(
        all<{ id: string }>('select id from tasks where parent is not null').map(({ id }) => id),
      ),
      delegations: byId(
        all<{ id: string; child: string | null }>('select id, child from delegations'),
      ),
      approvals: byId(all<{ id: string; state: string }>('select id, state from approvals')),
      kills: new Map(
        all<{ id: string; open: number; block: string | null; until: number | null }>(
          'select kills.id, open, block, blocks.expires_at as until from kills left join blocks on blocks.id = kills.block',
        ).map(({ id, open, block, until }) => [
          id,
          { open, blockedUntil: block === null ? undefined : until },
        ]),
      ),
      audit: all<AuditRow>('select * from audit order by seq').map(eventOf),
    }
  } finally {
    database.close()
  }
}

function byId<Row extends { readonly id: string }>(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.id, row]))
}

interface AuditRow {
  readonly seq: number
  readonly at: number
  readonly type: string
  readonly actor: string
  readonly tenant: string | null
  readonly task: string | null
  readonly lease: string | null
  readonly data_json: string
  readonly prev: string
  readonly hash: string
}

function eventOf({ at, data_json, tenant, task, lease, ...rest }: AuditRow): ChainedEvent {
  const event = {
    ...rest,
    at: new Date(at).toISOString(),
    ...(tenant === null ? {} : { tenant }),
    ...(task === null ? {} : { task }),
    ...(lease === null ? {} : { lease }),
    data: JSON.parse(data_json),
  }
  return event as ChainedEvent // as the store wrote it; whether it is right is what gets verified
}
