import type { Command } from 'commander'
import { addApprovalCommands } from './approval-commands.ts'
import type { Run } from './command.ts'
import { addDecisionCommands } from './decision-commands.ts'
import { addInventoryCommands } from './inventory-commands.ts'
import { addKillCommands } from './kill-commands.ts'
import { addLeaseCommands } from './lease-commands.ts'
import { addReceiptCommands } from './receipt-commands.ts'
import { addTaskCommands } from './task-commands.ts'
import { addTroubleCommands } from './trouble-commands.ts'

/** Commands that speak to a running broker. */
export function addBrokerCommands(program: Command, run: Run): void {
  addTaskCommands(program, run)
  addLeaseCommands(program, run)
  addApprovalCommands(program, run)
  addKillCommands(program, run)
  addTroubleCommands(program, run)
  addInventoryCommands(program, run)
  addDecisionCommands(program, run)
  addReceiptCommands(program, run)
  program
    .command('reload')
    .description('take over the configuration and policies of the files')
    .option('--confirm <value>', 'what the answer that waits asked to confirm')
    .action(({ confirm }) =>
      run(async (context) => (await import('./acts.ts')).reload(context, confirm)),
    )
}
