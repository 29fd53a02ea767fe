import type BetterSqlite3 from 'better-sqlite3'
import { type Clock, type ClockSource, steadyClock } from '../../clock.ts'
import { MayflyError } from '../../errors.ts'
import type { Store } from '../store.ts'
import { auditStore } from './audit.ts'
import { GroupCommit } from './commit.ts'
import { openDatabase } from './database.ts'
import { decisionStore, recordDecision } from './decisions.ts'
import { endingStore } from './endings.ts'
import { takeEpoch } from './epoch.ts'
import { killStore } from './kills.ts'
import { leaseMoves } from './lease-moves.ts'
import { leaseStore } from './leases.ts'
import { signalStore } from './signals.ts'
import { standing as standingOf } from './standing.ts'
import { taskStore } from './tasks.ts'

export interface OpenStore {
  readonly store: Store
  /** The broker's clock: never behind anything this store has recorded. */
  readonly clock: Clock
}

/**
 * Opens the embedded store: one process, one file, private to its user.
 * `keysDir` holds the generation that tells a restored database from a continued one.
 */
export function openSqliteStore(options: {
  readonly path: string
  readonly keysDir: string
  readonly migrations: string
  readonly clockSource: ClockSource
}): OpenStore {
  const { sqlite, db } = openDatabase(options.path, options.migrations)
  const highWater = Number(readMeta(sqlite, 'high_water') ?? 0)
  const clock = steadyClock(options.clockSource, highWater)
  const epoch = takeEpoch(sqlite, options.keysDir)

  const commit = new GroupCommit(sqlite, db, clock)
  const moves = leaseMoves(db)
  const standing = standingOf(db)
  const record = recordDecision(db)
  const tasks = taskStore({ db, commit, moves, standing, record })
  const kills = killStore({ db, commit, moves, standing, endTask: tasks.endWithin })
  const store: Store = {
    tasks,
    leases: leaseStore({ db, commit, moves, standing, record }),
    endings: endingStore({ db, commit, moves }),
    kills,
    signals: signalStore(db, commit, kills.orderWithin),
    decisions: decisionStore(db, commit, record),
    audit: auditStore(db, commit),
    epoch,
    highWater,
    onWork: (listener) => commit.onWork(listener),
    ready: () => commit.run(() => undefined),
    async close() {
      commit.close()
      if (sqlite.open) sqlite.close()
    },
  }
  return { store, clock }
}

function readMeta(sqlite: BetterSqlite3.Database, key: string): string | undefined {
  const value = sqlite.prepare('select value from meta where key = ?').pluck().get(key)
  if (value === undefined) return undefined
  if (typeof value !== 'string')
    throw new MayflyError('config_invalid', `meta.${key} is unreadable`)
  return value
}
