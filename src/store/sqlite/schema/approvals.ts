import { index, integer, sql, sqliteTable, text } from '../drizzle.ts'

export const approvals = sqliteTable(
  'approvals',
  {
    id: text('id').primaryKey(),
    task: text('task').notNull(),
    agent: text('agent').notNull(),
    tenant: text('tenant').notNull(),
    workload: text('workload').notNull(),
    issuer: text('issuer').notNull(),
    chainJson: text('chain_json'),
    entitlement: text('entitlement').notNull(),
    provider: text('provider').notNull(),
    target: text('target').notNull(),
    /** SHA-256 of what was asked for, lower-case hex: nothing else can be had for it. */
    grantHash: text('grant_hash').notNull(),
    /** What whoever decides is shown. */
    shownJson: text('shown_json').notNull(),
    ttlSeconds: integer('ttl_seconds').notNull(),
    policyHash: text('policy_hash').notNull(),
    decision: text('decision').notNull(),
    /** The store's own when it was asked for: in a restored database it is worth nothing. */
    epoch: integer('epoch').notNull(),
    state: text('state').notNull(),
    cause: text('cause'),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    decidedAt: integer('decided_at'),
    decidedBy: text('decided_by'),
    reason: text('reason'),
    lease: text('lease'),
    /** When whoever decides is told next; null: they were, or are not to be. */
    noticeDueAt: integer('notice_due_at'),
    noticeAttempts: integer('notice_attempts').notNull(),
  },
  (t) => [
    index('approvals_created').on(t.createdAt, t.id),
    index('approvals_open').on(t.agent, t.task).where(sql`state in ('pending', 'granted')`),
    index('approvals_expiry').on(t.expiresAt).where(sql`state in ('pending', 'granted')`),
    index('approvals_denied').on(t.agent, t.entitlement, t.decidedAt).where(sql`state = 'denied'`),
    index('approvals_notice').on(t.noticeDueAt).where(sql`notice_due_at is not null`),
  ],
)
