import { index, integer, sqliteTable, text } from '../drizzle.ts'

export const decisions = sqliteTable(
  'decisions',
  {
    id: text('id').primaryKey(),
    at: integer('at').notNull(),
    action: text('action').notNull(),
    outcome: text('outcome').notNull(),
    agent: text('agent').notNull(),
    tenant: text('tenant').notNull(),
    workload: text('workload').notNull(),
    task: text('task'),
    entitlement: text('entitlement'),
    chainJson: text('chain_json'),
    lease: text('lease'),
    policiesJson: text('policies_json').notNull(),
    railsJson: text('rails_json').notNull(),
    reasonsJson: text('reasons_json').notNull(),
    policyHash: text('policy_hash').notNull(),
    /** What was decided on, enough to decide it again. */
    requestJson: text('request_json').notNull(),
  },
  // One page at the end for each, not one anywhere for each agent and task: lists filter as they read.
  (t) => [index('decisions_at').on(t.at, t.id)],
)

/** The text of policies that are or were in force, by the hash that decisions name. */
export const policySets = sqliteTable('policy_sets', {
  hash: text('hash').primaryKey(),
  inForceSince: integer('in_force_since').notNull(),
  policiesJson: text('policies_json').notNull(),
})

/** What shadow policies would have decided differently. */
export const shadowDifferences = sqliteTable('shadow_differences', {
  decision: text('decision').primaryKey(),
  outcome: text('outcome').notNull(),
  policiesJson: text('policies_json').notNull(),
  reasonsJson: text('reasons_json').notNull(),
  policyHash: text('policy_hash').notNull(),
})
