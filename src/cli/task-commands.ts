import { type Command, Option } from 'commander'
import type { Run } from './command.ts'
import { paged } from './options.ts'

const acts = () => import('./acts.ts')
const lists = () => import('./lists.ts')

export function addTaskCommands(program: Command, run: Run): void {
  const tasks = program.command('tasks').description('pieces of agents’ work')
  paged(tasks.command('ls'))
    .description('list tasks')
    .option('--state <state>', 'open or ended')
    .option('--agent <id>')
    .option('--tenant <name>')
    .option('--parent <id>', 'only what this task delegated')
    .action((flags) => run(async (context) => (await lists()).listTasks(context, flags)))
  tasks
    .command('show <id>')
    .description('everything about one task')
    .action((id) => run(async (context) => (await import('./show.ts')).show(context, 'task', id)))
  tasks
    .command('tree <id>')
    .description('a task and everything it delegated')
    .action((id) => run(async (context) => (await import('./task-tree.ts')).showTree(context, id)))
  tasks
    .command('end <id>')
    .description('end a task, what it delegated, and all their leases')
    .addOption(
      new Option('--outcome <outcome>', 'how it ended')
        .choices(['completed', 'failed', 'cancelled'])
        .default('cancelled'),
    )
    .action((id, { outcome }) =>
      run(async (context) => (await acts()).endTask(context, id, outcome)),
    )
}
