import type { SelectorFields, SelectorSubject } from '../../model/selector.ts'
import type { Db } from './database.ts'
import { eq } from './drizzle.ts'
import { tasks } from './schema.ts'
import { param, prepared } from './statement.ts'

/** The tasks above one, nearest first; of a task without parent there is one look, and none. */
export type Lineage = (task: string) => readonly Ancestor[]

export interface Ancestor {
  readonly id: string
  readonly agent: string
  readonly tenant: string
  readonly workload: string
  readonly issuer: string
}

/** Index: the primary key of tasks, once for each level. */
export function lineage(db: Db): Lineage {
  const { id, parent, agent, tenant, workload, issuer } = tasks
  const byId = prepared(
    db,
    db
      .select({ id, parent, agent, tenant, workload, issuer })
      .from(tasks)
      .where(eq(tasks.id, param('id'))),
  )
  return (task) => {
    const above: Ancestor[] = []
    let next = byId.get({ id: task })?.parent ?? null
    while (next !== null) {
      const row = byId.get({ id: next })
      if (!row) throw new Error(`task ${next}, which delegated, is gone`)
      above.push(row)
      next = row.parent
    }
    return above
  }
}

/**
 * What selectors see of those above: `request` is what the task below them does, which they would
 * have to be free to do themselves.
 */
export function subjectsAbove(
  above: readonly Ancestor[],
  request: SelectorFields = {},
): Required<Pick<SelectorSubject, 'ancestors' | 'above'>> {
  const ids = above.map((one) => one.id)
  return {
    ancestors: ids,
    above: above.map(({ id, agent, tenant, workload, issuer }, at) => ({
      ...request,
      task: id,
      ancestors: ids.slice(at + 1),
      agent,
      tenant,
      workload,
      issuer,
    })),
  }
}
