import { createRequire } from 'node:module'

// By `require`, because drizzle's ES modules cost half a second and 150 MB at start-up.
const require = createRequire(import.meta.url)

export const {
  and,
  asc,
  desc,
  eq,
  getTableColumns,
  getTableName,
  gt,
  gte,
  inArray,
  isNotNull,
  isNull,
  lte,
  ne,
  or,
  Param,
  Placeholder,
  sql,
} = require('drizzle-orm') as typeof import('drizzle-orm')

export const { index, integer, sqliteTable, text, uniqueIndex } =
  require('drizzle-orm/sqlite-core') as typeof import('drizzle-orm/sqlite-core')

export const { drizzle } =
  require('drizzle-orm/better-sqlite3') as typeof import('drizzle-orm/better-sqlite3')

export const { migrate } =
  require('drizzle-orm/better-sqlite3/migrator') as typeof import('drizzle-orm/better-sqlite3/migrator')
