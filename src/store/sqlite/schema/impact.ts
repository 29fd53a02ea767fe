import { index, integer, sqliteTable, text } from '../drizzle.ts'

/** A lease of high impact counts for the agents in whose name it is held, too. */
export const impactInName = sqliteTable(
  'impact_in_name',
  {
    agent: text('agent').notNull(),
    lease: text('lease').notNull(),
    at: integer('at').notNull(),
  },
  (t) => [index('impact_in_name_agent').on(t.agent, t.at)],
)

/** A permit of high impact at action time, for the agent and everybody in whose name it acts. */
export const impactActs = sqliteTable(
  'impact_acts',
  {
    agent: text('agent').notNull(),
    decision: text('decision').notNull(),
    at: integer('at').notNull(),
  },
  (t) => [index('impact_acts_agent').on(t.agent, t.at)],
)
