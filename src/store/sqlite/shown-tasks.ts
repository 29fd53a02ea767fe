import type { Task } from '../../model/task.ts'
import { type TaskRow, taskOf } from './rows.ts'
import type { Watch } from './watch.ts'

/** So much text of tasks is kept in mind; beyond, all are forgotten and read anew. */
const MAX_CHARACTERS = 16_000_000
/** What a task takes besides the texts an agent chose. */
const LEAST_CHARACTERS = 1_000

/** Open tasks by the hash of the token they are shown with: most requests are of a few of them. */
export interface ShownTasks {
  byToken(hash: string): Task | undefined
  /** The task of a row, kept if it is open. */
  keep(row: TaskRow): Task
}

export function shownTasks(watch: Watch): ShownTasks {
  const shown = new Map<string, Task>()
  let characters = 0
  const forgetAll = () => {
    shown.clear()
    characters = 0
  }
  watch('tasks', 'token_hash', (hash) => {
    if (hash === undefined) forgetAll()
    else shown.delete(String(hash))
  })
  return {
    byToken: (hash) => shown.get(hash),
    keep(row) {
      const task = taskOf(row)
      if (row.state !== 'open') return task
      // Counted up only: what was dropped meanwhile makes the next clearing come sooner.
      characters += LEAST_CHARACTERS + lengthOf(row)
      if (characters > MAX_CHARACTERS) forgetAll()
      shown.set(row.tokenHash, task)
      return task
    },
  }
}

function lengthOf({ purpose, intentJson, claimsJson, labelsJson, touchedJson }: TaskRow): number {
  return [purpose, intentJson, claimsJson, labelsJson, touchedJson].join('').length
}
