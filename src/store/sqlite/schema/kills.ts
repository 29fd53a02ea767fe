import { index, integer, sql, sqliteTable, text, uniqueIndex } from '../drizzle.ts'

export const kills = sqliteTable(
  'kills',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    selectorJson: text('selector_json').notNull(),
    reason: text('reason').notNull(),
    cause: text('cause').notNull(),
    orderedBy: text('ordered_by').notNull(),
    tenantsJson: text('tenants_json'),
    createdAt: integer('created_at').notNull(),
    block: text('block'),
    /** The signal that ordered it, if one did. */
    signal: text('signal'),
    /** 1: tasks that the selector matches end too; 0: only their leases. */
    endsTasks: integer('ends_tasks').notNull(),
    laneRank: integer('lane_rank').notNull(),
    countsJson: text('counts_json').notNull(),
    /** 1 while leases it matches may still be waiting for their order. */
    open: integer('open').notNull(),
  },
  (t) => [
    uniqueIndex('kills_id').on(t.id),
    index('kills_created').on(t.createdAt, t.id),
    index('kills_block').on(t.block).where(sql`block is not null`),
    index('kills_signal').on(t.signal).where(sql`signal is not null`),
    index('kills_open').on(t.seq).where(sql`open = 1`),
  ],
)

export const killLeases = sqliteTable(
  'kill_leases',
  {
    killSeq: integer('kill_seq').notNull(),
    lease: text('lease').notNull(),
  },
  (t) => [uniqueIndex('kill_leases_key').on(t.killSeq, t.lease)],
)

export const blocks = sqliteTable(
  'blocks',
  {
    id: text('id').primaryKey(),
    selectorJson: text('selector_json').notNull(),
    tenantsJson: text('tenants_json'),
    reason: text('reason').notNull(),
    createdBy: text('created_by').notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at'),
    liftedAt: integer('lifted_at'),
    liftedBy: text('lifted_by'),
  },
  (t) => [index('blocks_live').on(t.createdAt).where(sql`lifted_at is null`)],
)
