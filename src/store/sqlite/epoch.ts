import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'

interface Generation {
  /** How often this installation's store was opened. */
  readonly starts: number
  readonly epoch: number
}

/**
 * Counts this start in the database and, after it, in the key directory. A database that counts
 * fewer starts than the key directory is an older one restored: it gets a higher epoch, so that
 * what its successor wrote upstream is adopted and never overwritten.
 */
export function takeEpoch(sqlite: BetterSqlite3.Database, keysDir: string): number {
  const stored = parse(
    sqlite.prepare("select value from meta where key = 'generation'").pluck().get(),
  )
  const kept = readKept(keysDir)
  const restored = kept.starts > stored.starts
  const next: Generation = {
    starts: Math.max(kept.starts, stored.starts) + 1,
    epoch: restored ? Math.max(kept.epoch, stored.epoch) + 1 : Math.max(stored.epoch, 1),
  }
  sqlite
    .prepare(
      "insert into meta (key, value) values ('generation', ?) on conflict (key) do update set value = excluded.value",
    )
    .run(JSON.stringify(next))
  keep(keysDir, next)
  return next.epoch
}

function readKept(keysDir: string): Generation {
  const path = join(keysDir, 'generation.json')
  return existsSync(path) ? parse(readFileSync(path, 'utf8')) : { starts: 0, epoch: 0 }
}

function keep(keysDir: string, generation: Generation): void {
  mkdirSync(keysDir, { recursive: true, mode: 0o700 })
  chmodSync(keysDir, 0o700)
  const path = join(keysDir, 'generation.json')
  writeFileSync(`${path}.new`, `${JSON.stringify(generation)}\n`, { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
}

function parse(text: unknown): Generation {
  if (typeof text !== 'string') return { starts: 0, epoch: 0 }
  const { starts, epoch } = JSON.parse(text)
  return { starts: Number(starts) || 0, epoch: Number(epoch) || 0 }
}
