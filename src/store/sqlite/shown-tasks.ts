import type { Task } from '../../model/task.ts'
import { type TaskRow, taskOf } from './rows.ts'
import type { Watch } from './watch.ts'

/** So much text of tasks is kept in mind; beyond, all are forgotten and read anew. */
const MAX_CHARACTERS = 16_000_000
/** What a task takes besides the texts an agent chose. */
const LEAST_CHARACTERS = 1_000

/** Open tasks by their id: most requests are of a few of them. Always as the database has them. */
export interface ShownTasks {
  row(id: string): TaskRow | undefined
  task(id: string): Task | undefined
  /** Keeps a row if it is open. */
  keep(row: TaskRow): void
}

export function shownTasks(watch: Watch): ShownTasks {
  const shown = new Map<string, { readonly row: TaskRow; task: Task | undefined }>()
  let characters = 0
  const forgetAll = () => {
    shown.clear()
    characters = 0
  }
  watch('tasks', 'id', (id) => {
    if (id === undefined) forgetAll()
    else shown.delete(String(id))
  })
  return {
    row: (id) => shown.get(id)?.row,
    task(id) {
      const known = shown.get(id)
      if (known) known.task ??= taskOf(known.row)
      return known?.task
    },
    keep(row) {
      if (row.state !== 'open') return
      // Counted up only: what was dropped meanwhile makes the next clearing come sooner.
      characters += LEAST_CHARACTERS + lengthOf(row)
      if (characters > MAX_CHARACTERS) forgetAll()
      shown.set(row.id, { row, task: undefined })
    },
  }
}

function lengthOf({ purpose, intentJson, claimsJson, labelsJson, touchedJson }: TaskRow): number {
  return (
    purpose.length + intentJson.length + claimsJson.length + labelsJson.length + touchedJson.length
  )
}
