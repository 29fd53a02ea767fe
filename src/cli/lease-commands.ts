import type { Command } from 'commander'
import type { Run } from './command.ts'
import { paged, REASON, WHY } from './options.ts'

const killing = () => import('./kill.ts')
const lists = () => import('./lists.ts')

export function addLeaseCommands(program: Command, run: Run): void {
  const leases = program.command('leases').description('issued access')
  paged(leases.command('ls'))
    .description('list leases')
    .option(
      '--state <state>',
      'live (all that may still work), reserved, active, ending, ended or failed',
    )
    .option('--agent <id>')
    .option('--task <id>')
    .option('--tenant <name>')
    .option('--entitlement <id>')
    .option('--provider <name>')
    .action((flags) => run(async (context) => (await lists()).listLeases(context, flags)))
  leases
    .command('show <id>')
    .description('everything about one lease')
    .action((id) => run(async (context) => (await import('./show.ts')).show(context, 'lease', id)))
  leases
    .command('kill <ids...>')
    .description('end leases now')
    .requiredOption(REASON, WHY)
    .option('--dry-run', 'only say what it would match')
    .action((ids, flags) =>
      run(async (context) => (await killing()).killLeases(context, ids, flags)),
    )
}
