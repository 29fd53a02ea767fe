import type { Command } from 'commander'
import type { Run } from './command.ts'
import { paged } from './options.ts'

export function addDecisionCommands(program: Command, run: Run): void {
  const decisions = program.command('decisions').description('what was decided, and why')
  paged(decisions.command('ls'))
    .description('list decisions')
    .option('--outcome <outcome>', 'permit, deny or needs-approval')
    .option('--agent <id>')
    .option('--task <id>')
    .option('--shadow-differs', 'only those that shadow policies would have made differently')
    .action(({ shadowDiffers, ...flags }) =>
      run(async (context) =>
        (await import('./lists.ts')).listDecisions(context, {
          ...flags,
          ...(shadowDiffers && { shadow_differs: 'true' }),
        }),
      ),
    )
  decisions
    .command('show <id>')
    .description('everything about one decision')
    .action((id) =>
      run(async (context) => (await import('./show.ts')).show(context, 'decision', id)),
    )
  program
    .command('explain <decision>')
    .description('why it was decided so, by which policies, and what would have been needed')
    .action((id) => run(async (context) => (await import('./explain.ts')).explain(context, id)))
}
