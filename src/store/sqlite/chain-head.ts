import type BetterSqlite3 from 'better-sqlite3'
import { GENESIS } from '../../audit/chain.ts'
import { storedInstant } from './stored-json.ts'

/** The last event of the chain. */
export interface Head {
  readonly seq: number
  readonly hash: string
  readonly at: number
}

/** The chain goes on behind an event that cannot be read; its verification names that one. */
export function readHead(sqlite: BetterSqlite3.Database): Head {
  const row = sqlite.prepare('select seq, hash, at from audit order by seq desc limit 1').get()
  if (row === undefined) return { seq: 0, hash: GENESIS, at: 0 }
  const { seq, hash, at } = row as Record<'seq' | 'hash' | 'at', unknown> // as selected
  return {
    seq: Number(seq),
    hash: typeof hash === 'string' ? hash : '',
    at: storedInstant(at) ?? 0,
  }
}
