import type { Command } from 'commander'
import type { ExitCode, Run } from './command.ts'

const files = () => import('./config-files.ts')
const audit = () => import('./audit.ts')

/** Commands for whoever runs the broker: its files, its process, its evidence. */
export function addHostCommands(program: Command, run: Run): void {
  program
    .command('init <directory>')
    .description('write a configuration, policies to start with, and an operator token')
    .option('--installation <name>', 'part of every upstream name (made from the directory)')
    .action((directory, flags) =>
      run(async (context) => (await import('./init.ts')).init(context, { directory, ...flags })),
    )
  withFile(program.command('serve').description('run the broker'))
    .option('--accept-time <time>', 'the time it is, once serve asks whether the clock is right')
    .action(({ config, acceptTime }) =>
      run(async ({ io }) => {
        const { instantOf } = await import('./instant.ts')
        const accepted = instantOf('--accept-time', acceptTime)
        const order = {
          file: fileOf(config, io.env),
          ...(accepted === undefined ? {} : { acceptTime: accepted }),
        }
        return (await io.serve(order)) === 0 ? 0 : 1
      }),
    )
  withFile(program.command('doctor').description('check host, issuers and providers')).action(
    ({ config }) =>
      run(async (context) =>
        (await import('./doctor.ts')).doctor(context, fileOf(config, context.io.env)),
      ),
  )
  addConfigCommands(program, run)
  addAuditCommands(program, run)
  program
    .command('token')
    .description('tokens of operators, gateways and resource servers')
    .command('new')
    .description('make a token; only its SHA-256 belongs into the configuration')
    .option('--gateway', 'for a tool gateway instead of an operator')
    .option('--resource-server', 'for an API that introspects access tokens')
    .action((flags: { gateway?: true; resourceServer?: true }) =>
      run(async (context) => {
        const other = flags.resourceServer ? 'resource-server' : 'operator'
        const kind = flags.gateway ? 'gateway' : other
        return (await import('./token.ts')).printNewToken(context, { kind })
      }),
    )
}

function addConfigCommands(program: Command, run: Run): void {
  const config = program.command('config').description('the configuration file')
  withFile(config.command('check').description('say everything that is wrong with it')).action(
    (flags) =>
      run(async (context) =>
        (await files()).checkConfig(context, fileOf(flags.config, context.io.env)),
      ),
  )
  withFile(
    config.command('diff <old>').description('what taking it over instead of <old> changes'),
  ).action((other, flags) =>
    run(async (context): Promise<ExitCode> => {
      const file = fileOf(flags.config, context.io.env)
      return (await files()).diffConfigFiles(context, { file, other })
    }),
  )
}

function addAuditCommands(program: Command, run: Run): void {
  const log = program.command('audit').description('the audit log')
  log
    .command('verify')
    .description('recompute the chain of a running broker’s log, or of an export')
    .option('--anchor <file>', 'heads kept elsewhere: also finds a rewritten history')
    .option('--file <export>', 'an export instead of the running broker')
    .action((flags) => run(async (context) => (await audit()).verifyAudit(context, flags)))
  log
    .command('export')
    .description('print every event, one JSON line each')
    .option('--out <file>', 'a new file instead of standard output')
    .action(({ out }) => run(async (context) => (await audit()).exportAudit(context, out)))
}

function withFile(command: Command): Command {
  return command.option('-c, --config <file>', 'the configuration ($MAYFLY_CONFIG, ./mayfly.yaml)')
}

function fileOf(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
  return flag ?? (env.MAYFLY_CONFIG || 'mayfly.yaml')
}
