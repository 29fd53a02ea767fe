import type { Command } from 'commander'
import type { Run } from './command.ts'
import { paged, REASON, selectorFlags, WHY, waiting, withSelector } from './options.ts'

const killing = () => import('./kill.ts')

export function addKillCommands(program: Command, run: Run): void {
  const kill = program
    .command('kill')
    .description('end every lease that matches, now, and issue nothing for it afterwards')
  waiting(withSelector(kill))
    .option('--all', 'everything of every tenant')
    .option('--block <duration>', 'issue nothing for so long; 0 for no block (until lifted)')
    .option('--dry-run', 'only say whom it would hit, and how far')
    .option('--yes', 'do not ask, even for --all')
    .requiredOption(REASON, WHY)
    .action((flags) =>
      run(async (context) =>
        (await killing()).kill(context, { ...flags, selector: selectorFlags(flags) }),
      ),
    )
  const kills = program.command('kills').description('orders to end leases')
  paged(kills.command('ls'))
    .description('list orders, newest first')
    .action((flags) =>
      run(async (context) => (await import('./trouble-lists.ts')).listKills(context, flags)),
    )
  waiting(kills.command('show <id>'))
    .description('one order, and how far its leases have come')
    .action((id, flags) =>
      run(async (context) => (await import('./kill-progress.ts')).showKill(context, id, flags)),
    )
}
