import { type Command, Option } from 'commander'
import { APPROVAL_STATES } from '../model/approval.ts'
import type { Run } from './command.ts'
import { paged, REASON, WHY } from './options.ts'

export function addApprovalCommands(program: Command, run: Run): void {
  const approvals = program.command('approvals').description('what waits for a person’s yes')
  const deciding = () => import('./approvals.ts')
  paged(approvals.command('ls'))
    .description('list approvals')
    .addOption(
      new Option('--state <state>', 'which ones').choices([...APPROVAL_STATES]).default('pending'),
    )
    .option('--all', 'in whatever state')
    .option('--agent <id>')
    .option('--task <id>')
    .option('--tenant <name>')
    .action((flags) => run(async (context) => (await deciding()).listApprovals(context, flags)))
  approvals
    .command('show <id>')
    .description('everything about one approval: read it before you decide')
    .action((id) =>
      run(async (context) => (await import('./show.ts')).show(context, 'approval', id)),
    )
  approvals
    .command('approve <id>')
    .description('say yes to exactly this, once')
    .option(REASON, 'for the audit log')
    .action((id, { reason }) =>
      run(async (context) => (await deciding()).approve(context, id, reason)),
    )
  approvals
    .command('deny <id>')
    .description('say no, also to what was approved and not used yet')
    .requiredOption(REASON, WHY)
    .action((id, { reason }) =>
      run(async (context) => (await deciding()).deny(context, id, reason)),
    )
}
