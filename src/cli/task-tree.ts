import { everyItem } from '../client/pages.ts'
import type { TaskWire } from '../model/wire.ts'
import type { Context, ExitCode } from './command.ts'
import { when } from './when.ts'

const PAGE = 500

/** A task and everything it delegated, each below who delegated it, oldest first. */
export async function showTree(context: Context, id: string): Promise<ExitCode> {
  const { terminal } = context
  const api = context.api()
  await api.task(id) // refused as `show` is where there is none
  const items: TaskWire[] = []
  const pages = everyItem((cursor) =>
    api.tasks({ tree: id, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) }),
  )
  for await (const task of pages) items.push(task)
  if (terminal.json) {
    terminal.answer({ items, next_cursor: null })
    return 0
  }
  const now = context.now()
  terminal.table(
    [
      { title: 'TASK', cell: ({ branch, task }) => `${branch}${task.id}`, keep: true },
      { title: 'AGENT', cell: ({ task }) => task.agent },
      { title: 'STATE', cell: ({ task }) => task.outcome ?? task.cause ?? task.state },
      { title: 'DEADLINE', cell: ({ task }) => when(task.deadline, now) },
      { title: 'PURPOSE', cell: ({ task }) => task.purpose, spare: true },
    ],
    branchesOf(items, id),
    'no tasks',
  )
  return 0
}

interface Branch {
  /** What is drawn before the task. */
  readonly branch: string
  readonly task: TaskWire
}

function branchesOf(tasks: readonly TaskWire[], root: string): Branch[] {
  const byParent = Map.groupBy(tasks, ({ parent }) => parent ?? '')
  const draw = (task: TaskWire, branch: string, indent: string): Branch[] => {
    const children = (byParent.get(task.id) ?? []).toReversed()
    const below = children.flatMap((child, at) => {
      const last = at === children.length - 1
      return draw(child, `${indent}${last ? '└ ' : '├ '}`, `${indent}${last ? '  ' : '│ '}`)
    })
    return [{ branch, task }, ...below]
  }
  return tasks.filter(({ id }) => id === root).flatMap((task) => draw(task, '', ''))
}
