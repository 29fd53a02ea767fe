import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { APPROVAL_STATES } from '../model/approval.ts'
import { SELECTOR_FIELDS } from '../model/selector.ts'
import type { Run } from './command.ts'

const lists = () => import('./lists.ts')
const trouble = () => import('./trouble-lists.ts')
const acts = () => import('./acts.ts')
const killing = () => import('./kill.ts')

const REASON = '--reason <text>'
const WAIT = 'show how it comes along until nothing waits for its upstream any more (60s)'
const WHY = 'why, for the audit log and whoever looks next'

/** Commands that speak to a running broker. */
export function addBrokerCommands(program: Command, run: Run): void {
  addTaskCommands(program, run)
  addLeaseCommands(program, run)
  addApprovalCommands(program, run)
  addKillCommand(program, run)
  const kills = program.command('kills').description('orders to end leases')
  paged(kills.command('ls'))
    .description('list orders, newest first')
    .action((flags) => run(async (context) => (await trouble()).listKills(context, flags)))
  kills
    .command('show <id>')
    .description('one order, and how far its leases have come')
    .option('--wait [duration]', WAIT)
    .action((id, flags) =>
      run(async (context) => (await import('./kill-progress.ts')).showKill(context, id, flags)),
    )
  addTroubleCommands(program, run)
  addInventoryCommands(program, run)
  addExplainCommand(program, run)
  addReceiptCommands(program, run)
  program
    .command('reload')
    .description('take over the configuration and policies of the files')
    .option('--confirm <value>', 'what the answer that waits asked to confirm')
    .action(({ confirm }) => run(async (context) => (await acts()).reload(context, confirm)))
}

function addTaskCommands(program: Command, run: Run): void {
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

function addLeaseCommands(program: Command, run: Run): void {
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

function addApprovalCommands(program: Command, run: Run): void {
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

function addKillCommand(program: Command, run: Run): void {
  const kill = program
    .command('kill')
    .description('end every lease that matches, now, and issue nothing for it afterwards')
  withSelector(kill)
    .option('--all', 'everything of every tenant')
    .option('--block <duration>', 'issue nothing for so long; 0 for no block (until lifted)')
    .option('--dry-run', 'only say whom it would hit, and how far')
    .option('--wait [duration]', WAIT)
    .option('--yes', 'do not ask, even for --all')
    .requiredOption(REASON, WHY)
    .action((flags) =>
      run(async (context) =>
        (await killing()).kill(context, { ...flags, selector: selectorFlags(flags) }),
      ),
    )
}

function addTroubleCommands(program: Command, run: Run): void {
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

function addSignalCommand(program: Command, run: Run): void {
  const signal = program.command('signal').description('report trouble')
  signal
    .command('test <source> <file>')
    .description('show what a message of a source would do, without any effect')
    .action((source, file) =>
      run(async (context) => (await import('./signal-test.ts')).testSignal(context, source, file)),
    )
  const send = signal.command('send')
  withSelector(send.description('send a signed signal (Standard Webhooks)'))
    .requiredOption('--source <name>', 'a source of the configuration')
    .requiredOption('--secret <reference>', 'env:NAME or file:PATH of the source’s whsec_ secret')
    .requiredOption(REASON, WHY)
    .addOption(new Option('--level <level>', 'of risk').choices(['LOW', 'MEDIUM', 'HIGH']))
    .addOption(new Option('--action <action>').choices(['risk', 'block', 'kill']))
    .option('--ttl <duration>', 'how long the risk or block lasts')
    .option('--id <id>', 'the message’s id; the same again has no second effect')
    .action((flags) =>
      run(async (context) =>
        (await import('./signal-send.ts')).sendSignal(context, {
          ...flags,
          subject: selectorFlags(flags),
        }),
      ),
    )
}

function addInventoryCommands(program: Command, run: Run): void {
  paged(program.command('agents').description('configured identities').command('ls'))
    .description('list agents')
    .action((flags) => run(async (context) => (await lists()).listAgents(context, flags)))
  paged(program.command('entitlements').description('what may be asked for').command('ls'))
    .description('list entitlements')
    .action((flags) => run(async (context) => (await lists()).listEntitlements(context, flags)))
  paged(program.command('providers').description('where credentials come from').command('ls'))
    .description('list providers, and whether minting and ending works there')
    .action((flags) => run(async (context) => (await trouble()).listProviders(context, flags)))
  const decisions = program.command('decisions').description('what was decided, and why')
  paged(decisions.command('ls'))
    .description('list decisions')
    .option('--outcome <outcome>', 'permit, deny or needs-approval')
    .option('--agent <id>')
    .option('--task <id>')
    .option('--shadow-differs', 'only those that shadow policies would have made differently')
    .action(({ shadowDiffers, ...flags }) =>
      run(async (context) =>
        (await lists()).listDecisions(context, {
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
}

function addExplainCommand(program: Command, run: Run): void {
  program
    .command('explain <decision>')
    .description('why it was decided so, by which policies, and what would have been needed')
    .action((id) => run(async (context) => (await import('./explain.ts')).explain(context, id)))
}

function addReceiptCommands(program: Command, run: Run): void {
  const receipts = () => import('./receipt.ts')
  const receipt = program
    .command('receipt')
    .description('a signed statement of what became of a lease or a kill')
    .argument('<id>', 'of a lease or a kill')
    .option('--jws', 'print only what was signed: the thing to keep')
    .action((id, flags) =>
      run(async (context) => (await receipts()).printReceipt(context, id, flags)),
    )
  receipt
    .command('keys')
    .description('the public keys of all receipts: keep them beside the receipts')
    .action(() => run(async (context) => (await receipts()).printReceiptKeys(context)))
  receipt
    .command('verify <file>')
    .description('check a kept receipt with kept keys, without any broker')
    .requiredOption('--jwks <file>', 'what `mayfly receipt keys` printed')
    .action((file, flags) =>
      run(async (context) => (await receipts()).verifyReceiptFile(context, file, flags)),
    )
}

function paged(command: Command): Command {
  return command
    .option('--limit <count>', 'at most so many', positive)
    .option('--cursor <cursor>', 'where the page before ended')
}

function positive(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number above zero.')
}

function withSelector(command: Command): Command {
  for (const field of SELECTOR_FIELDS) command.option(`--${field.replace('_', '-')} <value>`)
  return command
}

/** Flags in camel case back to the selector's own names. */
function selectorFlags(flags: Record<string, string | boolean | undefined>) {
  const { policyHash, ...rest } = flags
  return { ...rest, policy_hash: policyHash }
}
