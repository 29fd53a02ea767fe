import { sqliteTable, text } from './drizzle.ts'

export * from './schema/approvals.ts'
export * from './schema/audit.ts'
export * from './schema/decisions.ts'
export * from './schema/evidence.ts'
export * from './schema/impact.ts'
export * from './schema/kills.ts'
export * from './schema/leases.ts'
export * from './schema/signals.ts'
export * from './schema/tasks.ts'

// Instants are epoch milliseconds; columns ending in _json hold JSON text.

export const meta = sqliteTable('meta', {
  key: text('key').primaryKey(),
  value: text('value').notNull(),
})
