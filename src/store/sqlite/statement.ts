import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Db } from './database.ts'
import { getTableColumns, getTableName, Param, Placeholder, sql } from './drizzle.ts'

/** A statement of the query builder that can be compiled: select, update or delete. */
interface Buildable<P> {
  toSQL(): { readonly sql: string; readonly params: unknown[] }
  prepare(): P
}

type Values = Readonly<Record<string, unknown>>

/**
 * Compiles a statement once, to be run with its placeholders filled in; typed like the builder's
 * own `prepare`, which spends more time per run than SQLite does. Constants become literals, so
 * that SQLite sees when a partial index applies and never compiles again.
 */
export function prepared<P>(db: Db, query: Buildable<P>): P {
  const { sql: text, params } = query.toSQL()
  const names: string[] = []
  let at = 0
  const source = text.replace(/\?/g, () => {
    const value = unwrapped(params[at++])
    if (!(value instanceof Placeholder)) return literal(value)
    names.push(value.name)
    return '?'
  })
  const statement = db.$client.prepare(source)
  const bind = (values: Values = {}) => names.map((name) => values[name])
  const run = (values?: Values) => statement.run(...bind(values))
  if (!statement.reader) return { run } as P // the part of the builder's type that applies
  const keys = selectedKeys(query)
  const rowOf = (cells: unknown[]) => {
    const row: Record<string, unknown> = {}
    for (let i = 0; i < keys.length; i += 1) row[keys[i] as string] = cells[i]
    return row
  }
  statement.raw()
  return {
    get(values?: Values) {
      const cells = statement.get(...bind(values))
      return cells === undefined ? undefined : rowOf(cells as unknown[])
    },
    all: (values?: Values) => (statement.all(...bind(values)) as unknown[][]).map(rowOf),
  } as P // likewise
}

/** A compiled insert of one whole row. */
export function insertStatement<T extends SQLiteTable>(db: Db, table: T) {
  const columns = Object.entries(getTableColumns(table))
  const keys = columns.map(([key]) => key)
  const names = columns.map(([, column]) => `"${column.name}"`).join(', ')
  const marks = keys.map(() => '?').join(', ')
  const statement = db.$client.prepare(
    `insert into "${getTableName(table)}" (${names}) values (${marks})`,
  )
  return (row: T['$inferInsert']): void => {
    const values: Values = row
    statement.run(...keys.map((key) => values[key] ?? null))
  }
}

/** A value filled in when a compiled statement runs. */
export function param(name: string) {
  return sql`${sql.placeholder(name)}`
}

/** An inserted placeholder comes with its column's encoder, which changes no text and no number. */
function unwrapped(value: unknown): unknown {
  return value instanceof Param ? value.value : value
}

function literal(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`
  if (value === null) return 'null'
  throw new Error('a constant of a statement is neither a number, a text nor null')
}

function selectedKeys(query: object): string[] {
  // The builder's public description of what it selects; flat, as all of this store's selects are.
  const { getSelectedFields } = query as { getSelectedFields(): Record<string, unknown> }
  return Object.keys(getSelectedFields.call(query))
}
