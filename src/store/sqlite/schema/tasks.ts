import { index, integer, sql, sqliteTable, text, uniqueIndex } from '../drizzle.ts'

export const tasks = sqliteTable(
  'tasks',
  {
    id: text('id').primaryKey(),
    agent: text('agent').notNull(),
    tenant: text('tenant').notNull(),
    workload: text('workload').notNull(),
    issuer: text('issuer').notNull(),
    proof: text('proof').notNull(),
    claimsJson: text('claims_json').notNull(),
    /** SHA-256 of the task token, lower-case hex. */
    tokenHash: text('token_hash').notNull(),
    purpose: text('purpose').notNull(),
    intentJson: text('intent_json').notNull(),
    labelsJson: text('labels_json').notNull(),
    state: text('state').notNull(),
    outcome: text('outcome'),
    cause: text('cause'),
    parent: text('parent'),
    depth: integer('depth').notNull().default(0),
    /** Through whom it came to its work; null where nobody delegated it. */
    chainJson: text('chain_json'),
    createdAt: integer('created_at').notNull(),
    deadline: integer('deadline').notNull(),
    heartbeatSeconds: integer('heartbeat_seconds'),
    heartbeatDueAt: integer('heartbeat_due_at'),
    lastHeartbeatAt: integer('last_heartbeat_at'),
    endedAt: integer('ended_at'),
    touchedJson: text('touched_json').notNull(),
    /** The key it is bound to, by name; null where its token alone is enough. */
    key: text('key'),
  },
  (t) => [
    // The token of an ended task is dead; it names its task itself.
    uniqueIndex('tasks_token').on(t.tokenHash).where(sql`state = 'open'`),
    index('tasks_created').on(t.createdAt, t.id),
    index('tasks_deadline').on(t.deadline).where(sql`state = 'open'`),
    index('tasks_heartbeat')
      .on(t.heartbeatDueAt)
      .where(sql`state = 'open' and heartbeat_due_at is not null`),
    index('tasks_agent').on(t.agent, t.createdAt),
    index('tasks_agent_open').on(t.agent).where(sql`state = 'open'`),
    index('tasks_tenant').on(t.tenant, t.state),
    index('tasks_parent').on(t.parent).where(sql`parent is not null`),
  ],
)

export const delegations = sqliteTable(
  'delegations',
  {
    id: text('id').primaryKey(),
    /** The task that delegated. */
    task: text('task').notNull(),
    agent: text('agent').notNull(),
    tenant: text('tenant').notNull(),
    /** SHA-256 of the delegation's token, lower-case hex. */
    tokenHash: text('token_hash').notNull(),
    purpose: text('purpose'),
    intentJson: text('intent_json').notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    deadline: integer('deadline').notNull(),
    usedAt: integer('used_at'),
    /** The task it opened. */
    child: text('child'),
    decision: text('decision').notNull(),
  },
  (t) => [
    uniqueIndex('delegations_token').on(t.tokenHash),
    index('delegations_task').on(t.task, t.expiresAt),
  ],
)
