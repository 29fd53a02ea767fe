import { index, integer, sqliteTable, text } from '../drizzle.ts'

/** What is good for one use, also DPoP proofs, by its SHA-256. */
export const evidenceUsed = sqliteTable(
  'evidence_used',
  {
    id: text('id').primaryKey(),
    expiresAt: integer('expires_at').notNull(),
  },
  (t) => [index('evidence_expiry').on(t.expiresAt)],
)

/** The first key an instance of a workload showed. */
export const pins = sqliteTable(
  'pins',
  {
    instance: text('instance').primaryKey(),
    key: text('key').notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (t) => [index('pins_expiry').on(t.expiresAt)],
)
