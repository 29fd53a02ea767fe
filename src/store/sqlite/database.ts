import { chmodSync, closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Sqlite from 'better-sqlite3'
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import { MayflyError } from '../../errors.ts'
import { drizzle, migrate } from './drizzle.ts'

export type Db = BetterSQLite3Database & { readonly $client: Sqlite.Database }

/** Enough for the pages a busy minute touches; SQLite's own 2 MB spill to disk under load. */
const CACHE_KIB = 32_768
/** Pages of the log (16 MB) before they are copied back: each copy syncs the whole file twice. */
const CHECKPOINT_PAGES = 4_000
/** How long a start waits for a predecessor to let go of the file. */
const LOCK_WAIT_MS = 2_000

/**
 * Opens and migrates the database file, private to this process and this user. Refuses, without
 * changing it, a file another process has open and one that a newer Mayfly has written.
 */
export function openDatabase(
  path: string,
  migrations: string,
): { sqlite: Sqlite.Database; db: Db } {
  const sqlite = openPrivately(path)
  try {
    sqlite.pragma('locking_mode = EXCLUSIVE')
    sqlite.pragma('journal_mode = WAL')
    sqlite.pragma('synchronous = FULL')
    sqlite.pragma('temp_store = MEMORY')
    sqlite.pragma(`cache_size = -${CACHE_KIB}`)
    sqlite.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    sqlite.exec('begin immediate; commit')
    refuseForeign(sqlite, migrations)
    const db = drizzle(sqlite)
    migrate(db, { migrationsFolder: migrations })
    return { sqlite, db }
  } catch (error) {
    sqlite.close()
    throw explain(error, path)
  }
}

function openPrivately(path: string): Sqlite.Database {
  try {
    if (path !== ':memory:') createPrivately(path)
    return new Sqlite(path, { timeout: LOCK_WAIT_MS })
  } catch (error) {
    throw explain(error, path)
  }
}

function createPrivately(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
}

/**
 * The migrator itself would accept a database from the future silently, and stumble over the
 * tables of one that took another way here.
 */
function refuseForeign(sqlite: Sqlite.Database, migrations: string): void {
  const known = sqlite
    .prepare("select 1 from sqlite_master where name = '__drizzle_migrations'")
    .get()
  if (!known) return
  const applied = sqlite.prepare('select created_at from __drizzle_migrations').pluck().all()
  const journal: { entries: { when: number }[] } = JSON.parse(
    readFileSync(join(migrations, 'meta', '_journal.json'), 'utf8'),
  )
  const ours = journal.entries.map((entry) => entry.when)
  const foreign = applied.filter((when) => !ours.some((own) => own === when))
  if (foreign.length === 0) return
  const newer = foreign.some((when) => typeof when !== 'number' || when > Math.max(...ours))
  throw new MayflyError(
    'config_invalid',
    `store.url: the database was written by ${newer ? 'a newer' : 'another'} mayfly; run that version, or restore a backup`,
  )
}

/** What SQLite found while a store was built on it, with what to do; anything else as it is. */
export function explainDamage(error: unknown, path: string): unknown {
  return error instanceof Sqlite.SqliteError ? explain(error, path) : error
}

/** Why a database cannot be used, and what to do, as `config_invalid`. */
function explain(error: unknown, path: string): unknown {
  if (error instanceof MayflyError) return error
  const code = codeOf(error)
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new MayflyError(
      'config_invalid',
      `store.url: another process has ${path} open; only one mayfly may use a database`,
      { cause: error },
    )
  }
  const [, remedy] = REMEDIES.find(([codes]) => codes.test(code)) ?? []
  const problem = remedy ?? `cannot be opened: ${messageOf(error)}`
  return new MayflyError('config_invalid', `store.url: ${path} ${problem}`, { cause: error })
}

/** SQLite's result codes and the system's, with what an operator can do about each. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /^SQLITE_(CORRUPT|NOTADB)/,
    'is damaged: restore a backup, then see with mayfly reconcile --dry-run what it does not know',
  ],
  [/^(SQLITE_FULL|ENOSPC|EDQUOT)/, 'has no room: free some disk space, then start again'],
  [
    /^(SQLITE_READONLY|SQLITE_CANTOPEN|EROFS|EACCES|EPERM)/,
    'cannot be written: give this user the file and its folder, on a disk that is mounted for writing',
  ],
]

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
