import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'
import { writeMeta } from './meta.ts'

/** The head of an audit chain. */
interface Head {
  readonly seq: number
  readonly hash: string
}

interface Generation {
  /** How often this installation's store was opened. */
  readonly starts: number
  readonly epoch: number
  /** The last audit event that was surely committed when this was written. */
  readonly seq: number
  /** Its hash; undefined where an older Mayfly wrote this. */
  readonly hash: string | undefined
}

export interface Epoch {
  readonly epoch: number
  /** Remembers, outside the database, how far its audit log has come. */
  reached(head: Head): void
  close(): void
}

/**
 * Counts this start in the database and, after it, in the key directory, which also remembers how
 * far the database has come. A database without the event that the key directory remembers, or
 * whose key directory is gone or unreadable, is an older one restored, another one, or moved: it
 * gets a higher epoch, so that what its successor wrote upstream is adopted and never overwritten,
 * and `onRestored` writes down what follows from that in the same transaction.
 *
 * The key directory is never ahead of what the database has durably: each start is counted here
 * after it is there, and each event after its commit, before anybody hears of it. So neither a kill
 * nor a loss of power between the two is mistaken for a restore; a loss of power may only make the
 * key directory forget how far the database had come. A backup that holds both is told from a
 * continued one by a `witness` alone: the last head that an anchor outside of this host holds.
 */
export function takeEpoch(
  sqlite: BetterSqlite3.Database,
  keysDir: string,
  options: {
    readonly head: Head
    readonly witness: Head | undefined
    readonly onRestored: () => void
  },
): Epoch {
  const { head, witness, onRestored } = options
  const stored = parse(
    sqlite.prepare("select value from meta where key = 'generation'").pluck().get(),
  ) ?? { starts: 0, epoch: 0, seq: 0, hash: undefined }
  const kept = readKept(keysDir)
  const restored =
    (kept === undefined ? hasLived(stored, head) : isBehind(sqlite, stored, kept)) ||
    (witness !== undefined && lacks(sqlite, witness))
  const latest = Math.max(kept?.epoch ?? 0, stored.epoch)
  const next: Generation = {
    starts: Math.max(kept?.starts ?? 0, stored.starts) + 1,
    epoch: restored ? latest + 1 : Math.max(stored.epoch, 1),
    ...head,
  }
  sqlite.transaction(() => {
    writeMeta(sqlite, 'generation', JSON.stringify(next))
    if (restored) onRestored()
  })()
  const file = keep(keysDir, next)
  let remembered = head.seq
  return {
    epoch: next.epoch,
    reached({ seq, hash }) {
      if (seq === remembered) return
      remembered = seq
      try {
        writeSync(file, textOf({ ...next, seq, hash }), 0)
      } catch {
        // Knowing less of how far it came only makes an old copy harder to notice.
      }
    },
    close: () => closeSync(file),
  }
}

/** A crash between the two writes of the very first start leaves no file either, but no event. */
function hasLived(stored: Generation, { seq }: Head): boolean {
  return stored.starts > 1 || seq > 0
}

function isBehind(sqlite: BetterSqlite3.Database, stored: Generation, kept: Generation): boolean {
  if (kept.starts > stored.starts) return true
  return kept.seq > 0 && lacks(sqlite, kept)
}

/** Whether this event, as it was, is not in the chain; without a hash only whether there is one. */
function lacks(sqlite: BetterSqlite3.Database, event: Pick<Generation, 'seq' | 'hash'>): boolean {
  const hash = sqlite.prepare('select hash from audit where seq = ?').pluck().get(event.seq)
  return hash === undefined || (event.hash !== undefined && event.hash !== hash)
}

/** Undefined: there is none, or nobody can read it. */
function readKept(keysDir: string): Generation | undefined {
  const path = join(keysDir, 'generation.json')
  return existsSync(path) ? parse(readFileSync(path, 'utf8')) : undefined
}

/** Replaces what was kept, and leaves it open: from here on it is written over in its place. */
function keep(keysDir: string, generation: Generation): number {
  mkdirSync(keysDir, { recursive: true, mode: 0o700 })
  chmodSync(keysDir, 0o700)
  const path = join(keysDir, 'generation.json')
  writeFileSync(`${path}.new`, textOf(generation), { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
  return openSync(path, 'r+')
}

/** Of one length for one start, so that a later text covers an earlier one. */
function textOf({ starts, epoch, seq, hash }: Generation): string {
  const place = `"seq":${String(seq).padStart(16)},"hash":${JSON.stringify(hash)}`
  return `{"starts":${starts},"epoch":${epoch},${place}}\n`
}

function parse(text: unknown): Generation | undefined {
  if (typeof text !== 'string') return undefined
  try {
    const { starts, epoch, seq = 0, hash } = JSON.parse(text)
    const whole = [starts, epoch, seq].every((part) => Number.isSafeInteger(part) && part >= 0)
    const known = hash === undefined || typeof hash === 'string'
    return whole && known ? { starts, epoch, seq, hash } : undefined
  } catch {
    return undefined
  }
}
