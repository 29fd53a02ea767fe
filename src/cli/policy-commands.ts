import type { Command } from 'commander'
import type { Run } from './command.ts'

/** Commands for whoever writes policies. */
export function addPolicyCommands(program: Command, run: Run): void {
  const policy = program.command('policy').description('policies before they are in force')
  policy
    .command('check <directory>')
    .description('say everything that is wrong or doubtful with the *.cedar of a directory')
    .action((directory) =>
      run(async (context) => (await import('./policy-check.ts')).checkPolicies(context, directory)),
    )
  policy
    .command('test <path>')
    .description('decide what *.test.yaml describes, and compare with what it expects')
    .option('--policies <directory>', 'instead of those the file is about')
    .action((path, flags) =>
      run(async (context) => (await import('./policy-test.ts')).testPolicies(context, path, flags)),
    )
  policy
    .command('replay')
    .description('which past decisions a directory of policies would make differently')
    .requiredOption('--policies <directory>', 'the policies to decide by')
    .option('--since <duration>', 'how far back', '7d')
    .action((flags) =>
      run(async (context) => (await import('./policy-replay.ts')).replayPolicies(context, flags)),
    )
}
