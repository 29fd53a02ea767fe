import type BetterSqlite3 from 'better-sqlite3'
import type { GroupCommit } from './commit.ts'

/**
 * Calls `forget` with the value of `key` of every row of `table` that is inserted, changed or
 * deleted, by whatever statement, and without one when something is rolled back: whoever keeps rows
 * in mind, because every request reads them and few change them, drops them then. A trigger of this
 * connection tells, so that no writer can fail to. One watcher per table.
 */
export type Watch = (table: string, key: string, forget: (value?: unknown) => void) => void

export function watching(sqlite: BetterSqlite3.Database, commit: GroupCommit): Watch {
  return (table, key, forget) => {
    const changed = `changed_${table}`
    sqlite.function(changed, (value: unknown) => {
      forget(value)
      return null
    })
    for (const [act, row] of [
      ['insert', 'new'],
      ['update', 'old'],
      ['delete', 'old'],
    ]) {
      sqlite.exec(
        `create temp trigger ${changed}_${act} after ${act} on main.${table} begin select ${changed}(${row}.${key}); end`,
      )
    }
    commit.onUndo(() => forget())
  }
}
