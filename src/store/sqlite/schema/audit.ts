import { index, integer, sql, sqliteTable, text } from '../drizzle.ts'

export const audit = sqliteTable(
  'audit',
  {
    seq: integer('seq').primaryKey(),
    at: integer('at').notNull(),
    type: text('type').notNull(),
    actor: text('actor').notNull(),
    tenant: text('tenant'),
    task: text('task'),
    lease: text('lease'),
    dataJson: text('data_json').notNull(),
    prev: text('prev').notNull(),
    hash: text('hash').notNull(),
  },
  (t) => [
    // A task's events are its own and those of its leases. What is written at the same time stands
    // together in both, because ids count time.
    index('audit_lease').on(t.lease).where(sql`lease is not null`),
    index('audit_task_alone').on(t.task).where(sql`task is not null and lease is null`),
  ],
)
