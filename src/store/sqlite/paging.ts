import type { SQL } from 'drizzle-orm'
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Page } from '../store.ts'
import type { Db } from './database.ts'
import { and, desc, inArray, sql } from './drizzle.ts'

/** Narrows to tenants a caller may see; null sees all, an empty list nothing. */
export function among(column: SQLiteColumn, values: readonly string[] | null): SQL | undefined {
  if (values === null) return undefined
  return values.length === 0 ? sql`0` : inArray(column, [...values])
}

/**
 * Lists run newest first; a cursor is `<instant>.<id>` of the last row seen, so that rows added
 * meanwhile neither repeat nor hide others.
 */
export function beforeId(at: SQLiteColumn, id: SQLiteColumn, page: Page): SQL | undefined {
  if (page.after === undefined) return undefined
  const split = page.after.indexOf('.')
  const instant = Number(page.after.slice(0, split))
  const last = page.after.slice(split + 1)
  if (!Number.isSafeInteger(instant) || split < 0) return sql`0`
  return sql`(${at}, ${id}) < (${instant}, ${last})`
}

type Listed = SQLiteTable & { readonly id: SQLiteColumn } & (
    | { readonly createdAt: SQLiteColumn }
    | { readonly at: SQLiteColumn }
    | { readonly receivedAt: SQLiteColumn }
  )

/** One page of a table, newest first. */
export function pageOf<T extends Listed>(
  db: Db,
  table: T,
  where: readonly (SQL | undefined)[],
  page: Page,
): T['$inferSelect'][] {
  const at = instantOf(table)
  return db
    .select()
    .from(table as SQLiteTable)
    .where(and(...where))
    .orderBy(desc(at), desc(table.id))
    .limit(page.limit)
    .all() as T['$inferSelect'][] // the widening above lost the row type
}

function instantOf(table: Listed): SQLiteColumn {
  if ('createdAt' in table) return table.createdAt
  return 'at' in table ? table.at : table.receivedAt
}
