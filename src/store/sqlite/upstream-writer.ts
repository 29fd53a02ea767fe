import type BetterSqlite3 from 'better-sqlite3'
import { leaseOfName } from '../../ids.ts'
import type { UpstreamWriter } from '../../model/upstream-writer.ts'
import type { Db } from './database.ts'
import { eq } from './drizzle.ts'
import { readMeta, writeMeta } from './meta.ts'
import { leases } from './schema.ts'
import { PROCESSES, Shards } from './shards.ts'
import { param, prepared } from './statement.ts'
import { storedInstant } from './stored-json.ts'

/**
 * What a killed process has sent arrives within this time, or never: Linux gives up the connections
 * of a process that is gone after about 100 s (`tcp_orphan_retries`, ip-sysctl).
 */
const ARRIVES_WITHIN_MS = 120_000
const KEY = 'writers'

/** Who this process is to the documents it writes upstream. */
export function upstreamWriter(
  db: Db,
  facts: { readonly epoch: number; readonly restoredAt: number | undefined; readonly now: number },
): UpstreamWriter {
  const { epoch, restoredAt, now } = facts
  const shards = new Shards(takeNumber(db.$client, now))
  const { state, createdAt, latestPossibleExpiry: at } = leases
  const known = prepared(
    db,
    db
      .select({ state, createdAt, at })
      .from(leases)
      .where(eq(leases.id, param('id'))),
  )
  const read = (id: string) => {
    try {
      return known.get({ id })
    } catch {
      // A damaged page keeps nothing from being refused (P13).
      return undefined
    }
  }
  return {
    epoch,
    restoredAt,
    shardFor: (place) => shards.next(place),
    leave: (place, shard) => shards.leave(place, shard),
    isWritten: (place, by) => by.epoch === epoch && shards.isWritten(place, by.shard),
    retire(place, by) {
      if (by.epoch !== epoch) return true
      if (!shards.retire(place, by.shard)) return false
      keepNumber(db.$client, by.shard % PROCESSES)
      return true
    },
    latestExpiry(name) {
      const id = leaseOfName(name)
      const lease = id === undefined ? undefined : read(id)
      // One that lives may be renewed; one from before a restore may have been.
      const settled = lease && (lease.state === 'ending' || lease.state === 'ended')
      if (!settled || !(lease.createdAt > (restoredAt ?? 0))) return undefined
      const at = storedInstant(lease.at)
      // A damaged row says nothing: its lease stays refused as if it were unknown.
      return at !== undefined && at >= lease.createdAt ? at : undefined
    },
  }
}

/**
 * The lowest number of no process of which something may still arrive upstream. Whoever had one
 * before is gone by now: a store has one process at a time.
 */
function takeNumber(sqlite: BetterSqlite3.Database, now: number): number {
  const gone = goneSince(readMeta(sqlite, KEY)).map((at) => Math.min(at ?? now, now))
  const free = gone.findIndex((at) => at <= now - ARRIVES_WITHIN_MS)
  const number = free === -1 ? gone.length : free
  const next = [...gone.slice(0, number), null, ...gone.slice(number + 1)]
  writeMeta(sqlite, KEY, JSON.stringify(next))
  return number
}

/** As if its process were still there: for the next one it is gone only since its own start. */
function keepNumber(sqlite: BetterSqlite3.Database, number: number): void {
  const gone = goneSince(readMeta(sqlite, KEY))
  if (typeof gone[number] !== 'number') return
  writeMeta(sqlite, KEY, JSON.stringify(gone.with(number, null)))
}

/** Since when the process of each number is gone; null: when last written down it was not. */
function goneSince(text: string | undefined): readonly (number | null)[] {
  try {
    const known: unknown = JSON.parse(text ?? '[]')
    if (Array.isArray(known) && known.every((at) => at === null || Number.isSafeInteger(at)))
      return known
  } catch {}
  // Nobody can read any more who ran lately: whoever it was had one of these.
  return Array.from({ length: PROCESSES / 2 }, () => null)
}
