import { index, integer, sql, sqliteTable, text, uniqueIndex } from '../drizzle.ts'

export const signals = sqliteTable(
  'signals',
  {
    id: text('id').primaryKey(),
    source: text('source').notNull(),
    messageId: text('message_id').notNull(),
    bodyHash: text('body_hash').notNull(),
    receivedAt: integer('received_at').notNull(),
    subjectJson: text('subject_json').notNull(),
    /** The subject narrowed to what the source may name: a JSON array of selectors. */
    effectiveJson: text('effective_json').notNull(),
    level: text('level'),
    action: text('action').notNull(),
    reason: text('reason').notNull(),
    expiresAt: integer('expires_at'),
    supersededAt: integer('superseded_at'),
    kill: text('kill'),
    matchedJson: text('matched_json').notNull(),
    /** Null: a word about its subject as a whole. */
    topic: text('topic'),
    /** When what it says happened, as far as its sender says so. */
    eventAt: integer('event_at'),
    /** The sender's own words for what it is about, and why it has no effect if it has none. */
    aboutJson: text('about_json'),
  },
  (t) => [
    uniqueIndex('signals_message').on(t.source, t.messageId),
    index('signals_topic')
      .on(t.source, t.subjectJson, t.topic, t.eventAt)
      .where(sql`level is not null`),
    index('signals_received').on(t.receivedAt, t.id),
    index('signals_risk').on(t.receivedAt).where(sql`level is not null and superseded_at is null`),
  ],
)
