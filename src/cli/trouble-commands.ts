import type { Command } from 'commander'
import type { Run } from './command.ts'
import { paged, REASON, WHY } from './options.ts'
import { addSignalCommand } from './signal-commands.ts'

const acts = () => import('./acts.ts')
const trouble = () => import('./trouble-lists.ts')

export function addTroubleCommands(program: Command, run: Run): void {
  const blocks = program.command('blocks').description('what nothing is issued for')
  paged(blocks.command('ls'))
    .description('list blocks')
    .option('--all', 'also those lifted or run out')
    .action((flags) => run(async (context) => (await trouble()).listBlocks(context, flags)))
  blocks
    .command('lift <id>')
    .description('undo a block')
    .action((id) => run(async (context) => (await acts()).liftBlock(context, id)))
  const risk = program.command('risk').description('who is in trouble')
  paged(risk.command('ls'))
    .description('list known risk')
    .action((flags) => run(async (context) => (await trouble()).listRisk(context, flags)))
  risk
    .command('clear <signals...>')
    .description('take back what these signals say: a false alarm, or trouble that is over')
    .requiredOption(REASON, WHY)
    .action((ids, flags) => run(async (context) => (await acts()).clearRisk(context, ids, flags)))
  const endings = program.command('endings').description('leases on their way to their end')
  paged(endings.command('ls'))
    .description('list what is ending, with tries and errors')
    .option('--provider <name>')
    .action((flags) => run(async (context) => (await trouble()).listEndings(context, flags)))
  endings
    .command('retry [lease]')
    .description('try one lease again now, all of a provider, or all')
    .option('--provider <name>')
    .action((id, flags) => run(async (context) => (await acts()).retryEnding(context, id, flags)))
  program
    .command('reconcile')
    .description('compare upstreams with what is known here, and repair what is safe to repair')
    .option('--provider <name>', 'only this one')
    .option('--dry-run', 'only say what differs')
    .action((flags) =>
      run(async (context) => (await import('./reconcile.ts')).reconcile(context, flags)),
    )
  paged(program.command('signals').description('trouble that was reported').command('ls'))
    .description('list received signals')
    .action((flags) => run(async (context) => (await trouble()).listSignals(context, flags)))
  addSignalCommand(program, run)
  program
    .command('restore')
    .description('after an older database was put back')
    .command('confirm')
    .description('end what it brought back, and let the broker issue again')
    .requiredOption(REASON, WHY)
    .action(({ reason }) => run(async (context) => (await acts()).confirmRestore(context, reason)))
}
