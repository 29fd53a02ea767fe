import type { Command } from 'commander'
import type { Run } from './command.ts'

export function addReceiptCommands(program: Command, run: Run): void {
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
