import type { Task } from '../../model/task.ts'
import type { Db } from './database.ts'
import { eq } from './drizzle.ts'
import type { TaskRow } from './rows.ts'
import { tasks } from './schema.ts'
import type { ShownTasks } from './shown-tasks.ts'
import { param, prepared } from './statement.ts'

/** What tasks have touched so far: it stays with them until they end. */
export interface Touching {
  /** Adds `touches` to what the task has touched. */
  add(task: TaskRow, touches: Task['touched']): void
  /** Whether another request touched something since this task was read; `now` is its row, if known. */
  since(before: Pick<Task, 'id' | 'touched'>, now?: Pick<TaskRow, 'touchedJson'>): boolean
}

export function touchingOf(db: Db, shown: ShownTasks): Touching {
  const byId = prepared(
    db,
    db
      .select({ touchedJson: tasks.touchedJson })
      .from(tasks)
      .where(eq(tasks.id, param('id'))),
  )
  const touch = prepared(
    db,
    db
      .update(tasks)
      .set({ touchedJson: param('touched') })
      .where(eq(tasks.id, param('id'))),
  )
  return {
    add(task, touches) {
      const { id, touchedJson } = task
      // Written by this store from the same type.
      const before = JSON.parse(touchedJson) as Task['touched']
      const after = {
        zones: [...new Set([...before.zones, ...touches.zones])],
        datasets: [...new Set([...before.datasets, ...touches.datasets])],
        impact: [...new Set([...before.impact, ...touches.impact])],
      }
      const text = JSON.stringify(after)
      if (text === touchedJson) return
      touch.run({ id, touched: text })
      shown.keep({ ...task, touchedJson: text })
    },
    since({ id, touched }, now = byId.get({ id })) {
      return now?.touchedJson !== JSON.stringify(touched)
    },
  }
}
