import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { Db } from './database.ts'
import { and, eq, sql } from './drizzle.ts'
import type { LeaseRow } from './rows.ts'
import { leases } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isReservedOrActive } from './states.ts'

/** So many tasks and agents are kept in mind; beyond, all are forgotten and counted anew. */
const MAX_KNOWN = 20_000

/**
 * How many leases of an agent or a task are reserved or active. Counted when first asked for, then
 * kept by the transitions, because an issue must not walk all that its agent has. What is rolled
 * back has to be forgotten (`forget`).
 */
export interface ActiveCounts {
  ofAgent(agent: string): number
  ofTask(task: string): number
  /** A task that has none yet. */
  opened(task: string): void
  /** `by` 1: the lease was reserved; -1: it left both states. */
  moved(lease: Pick<LeaseRow, 'agent' | 'task'>, by: 1 | -1): void
  forget(): void
}

export function activeCounts(db: Db): ActiveCounts {
  const known = new Map<string, number>()
  // Indexes: leases_agent, leases_task.
  const counters = { agent: counting(db, leases.agent), task: counting(db, leases.task) }
  const remember = (key: string, n: number): number => {
    if (known.size >= MAX_KNOWN) known.clear()
    known.set(key, n)
    return n
  }
  const countOf = (kind: 'agent' | 'task', id: string): number => {
    const key = `${kind} ${id}`
    const before = known.get(key)
    return before ?? remember(key, counters[kind].get({ of: id })?.n ?? 0)
  }
  const move = (key: string, by: 1 | -1) => {
    const n = known.get(key)
    if (n !== undefined) known.set(key, n + by)
  }
  return {
    ofAgent: (agent) => countOf('agent', agent),
    ofTask: (task) => countOf('task', task),
    opened: (task) => void remember(`task ${task}`, 0),
    moved({ agent, task }, by) {
      move(`agent ${agent}`, by)
      move(`task ${task}`, by)
    },
    forget: () => known.clear(),
  }
}

function counting(db: Db, column: SQLiteColumn) {
  return prepared(
    db,
    db
      .select({ n: sql<number>`count(*)` })
      .from(leases)
      .where(and(eq(column, param('of')), isReservedOrActive)),
  )
}
