import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'

interface Generation {
  /** How often this installation's store was opened. */
  readonly starts: number
  readonly epoch: number
  /** The last audit event that was surely committed when this was written. */
  readonly seq: number
}

export interface Epoch {
  readonly epoch: number
  /** Remembers, outside the database, how far its audit log has come. */
  reached(seq: number): void
}

/**
 * Counts this start in the database and, after it, in the key directory, which also remembers how
 * far the database has come. A database that is behind what the key directory remembers, or whose
 * key directory is gone or unreadable, is an older one restored or moved: it gets a higher epoch,
 * so that what its successor wrote upstream is adopted and never overwritten. A backup that holds
 * both is not told from a continued one.
 */
export function takeEpoch(
  sqlite: BetterSqlite3.Database,
  keysDir: string,
  committedSeq: number,
): Epoch {
  const stored = parse(
    sqlite.prepare("select value from meta where key = 'generation'").pluck().get(),
  ) ?? { starts: 0, epoch: 0, seq: 0 }
  const kept = readKept(keysDir)
  // A crash between the first start's two writes leaves no file either.
  const moved = kept === undefined && stored.starts > 1
  const behind = kept !== undefined && (kept.starts > stored.starts || kept.seq > committedSeq)
  const latest = Math.max(kept?.epoch ?? 0, stored.epoch)
  const next: Generation = {
    starts: Math.max(kept?.starts ?? 0, stored.starts) + 1,
    epoch: moved || behind ? latest + 1 : Math.max(stored.epoch, 1),
    seq: committedSeq,
  }
  sqlite
    .prepare(
      "insert into meta (key, value) values ('generation', ?) on conflict (key) do update set value = excluded.value",
    )
    .run(JSON.stringify(next))
  keep(keysDir, next, { flush: true })
  return {
    epoch: next.epoch,
    reached(seq) {
      try {
        keep(keysDir, { ...next, seq }, { flush: false })
      } catch {
        // Knowing less of how far it came only makes an old copy harder to notice.
      }
    },
  }
}

/** Undefined: there is none, or nobody can read it. */
function readKept(keysDir: string): Generation | undefined {
  const path = join(keysDir, 'generation.json')
  return existsSync(path) ? parse(readFileSync(path, 'utf8')) : undefined
}

function keep(keysDir: string, generation: Generation, { flush }: { flush: boolean }): void {
  mkdirSync(keysDir, { recursive: true, mode: 0o700 })
  chmodSync(keysDir, 0o700)
  const path = join(keysDir, 'generation.json')
  writeFileSync(`${path}.new`, `${JSON.stringify(generation)}\n`, { mode: 0o600, flush })
  renameSync(`${path}.new`, path)
}

function parse(text: unknown): Generation | undefined {
  if (typeof text !== 'string') return undefined
  try {
    const { starts, epoch, seq = 0 } = JSON.parse(text)
    const whole = [starts, epoch, seq].every((part) => Number.isSafeInteger(part) && part >= 0)
    return whole ? { starts, epoch, seq } : undefined
  } catch {
    return undefined
  }
}
