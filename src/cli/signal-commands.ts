import { type Command, Option } from 'commander'
import type { Run } from './command.ts'
import { REASON, selectorFlags, WHY, withSelector } from './options.ts'

export function addSignalCommand(program: Command, run: Run): void {
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
