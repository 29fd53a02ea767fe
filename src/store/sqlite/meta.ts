import type BetterSqlite3 from 'better-sqlite3'

/** What the store remembers of itself, by key; undefined: nothing yet. */
export function readMeta(sqlite: BetterSqlite3.Database, key: string): string | undefined {
  const value = sqlite.prepare('select value from meta where key = ?').pluck().get(key)
  return value === undefined ? undefined : String(value)
}

export function writeMeta(sqlite: BetterSqlite3.Database, key: string, value: string): void {
  sqlite
    .prepare(
      'insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value',
    )
    .run(key, value)
}
