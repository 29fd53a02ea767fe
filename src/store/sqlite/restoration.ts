import type BetterSqlite3 from 'better-sqlite3'
import { MINT_DEADLINE_MS, SKEW_MS } from '../../model/lifetime.ts'
import type { KillOrder, Restoration, Store } from '../store.ts'
import type { GroupCommit } from './commit.ts'
import type { OrderKill } from './kills.ts'
import { readMeta, writeMeta } from './meta.ts'

/**
 * Writes down, in the caller's transaction, that this database took its successor's place. To its
 * last moment that one may have renewed every lease that lives here: each counts as if its renewal's
 * answer never came (P6).
 */
export function noteRestored(sqlite: BetterSqlite3.Database, at: number): void {
  write(sqlite, { at, confirmed: false })
  sqlite
    .prepare(
      `update leases set
        latest_possible_expiry = max(latest_possible_expiry, @from + 1000 * max(ttl_seconds, native_floor_seconds)),
        exposed_until = max(exposed_until, @from + 1000 * max(ttl_seconds, native_floor_seconds))
      where state in ('reserved', 'active') and ended_at is null`,
    )
    .run({ from: at + MINT_DEADLINE_MS + SKEW_MS })
}

/**
 * When this database last took its successor's place, if it ever did. What nobody can read any more
 * counts as happening now: then somebody has to look (P3).
 */
export function readRestoration(
  sqlite: BetterSqlite3.Database,
  now: number,
): Restoration | undefined {
  const text = readMeta(sqlite, KEY)
  if (text === undefined) return undefined
  try {
    const { at, confirmed } = JSON.parse(text)
    if (Number.isSafeInteger(at)) return { at, confirmed: confirmed === true }
  } catch {}
  return { at: now, confirmed: false }
}

interface Rooms {
  readonly sqlite: BetterSqlite3.Database
  readonly commit: GroupCommit
  readonly epoch: number
  readonly orderKill: OrderKill
}

/** What is asked of it and done about it; `found` is as it was when this process started. */
export function restorationStore(
  { sqlite, commit, epoch, orderKill }: Rooms,
  found: Restoration | undefined,
): Pick<Store, 'restoration' | 'confirmRestoration'> {
  let known = found
  if (known?.confirmed === false) {
    const data = { epoch, detected_at: new Date(known.at).toISOString() }
    // At each start until somebody confirms, so that none of them is missing for a crash before it.
    commit
      .run((tx) => tx.event({ type: 'restore.detected', actor: 'mayfly', data }))
      .catch(() => {}) // a store that cannot write refuses everything else, too
  }
  return {
    restoration: () => known,
    async confirmRestoration(order: KillOrder) {
      const kill = await commit.run((tx) => {
        const before = readRestoration(sqlite, order.now)
        if (before?.confirmed !== false) return undefined
        write(sqlite, { ...before, confirmed: true })
        const ordered = orderKill(tx, order)
        const data = { epoch, detected_at: new Date(before.at).toISOString(), kill: ordered.id }
        tx.event({ type: 'restore.confirmed', actor: order.actor, data })
        return ordered
      })
      if (kill !== undefined && known !== undefined) known = { ...known, confirmed: true }
      return kill
    },
  }
}

const KEY = 'restored'

function write(sqlite: BetterSqlite3.Database, restoration: Restoration): void {
  writeMeta(sqlite, KEY, JSON.stringify(restoration))
}
