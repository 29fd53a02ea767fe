import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { ApiError } from '../client/api-error.ts'
import { apiClient } from '../client/http.ts'
import { MayflyError } from '../errors.ts'
import { addBrokerCommands } from './broker-commands.ts'
import { type CommandIo, type Context, type Run, UsageError } from './command.ts'
import { addHostCommands } from './host-commands.ts'
import { addPolicyCommands } from './policy-commands.ts'
import { safe, type Terminal, terminal } from './terminal.ts'

const DEFAULT_URL = 'http://127.0.0.1:8700'

/**
 * The command line: argv → one command → exit code. 0 done, 1 refused or failed, 2 not written as
 * it must be. Never throws; each command's code is imported when it is called.
 */
export async function runCli(argv: readonly string[], io: CommandIo): Promise<number> {
  let exitCode = 0
  const program = new Command('mayfly')
  const run: Run = async (work) => {
    exitCode = await work(contextOf(program, io))
  }
  configure(program, io)
  addBrokerCommands(program, run)
  addHostCommands(program, run)
  addPolicyCommands(program, run)
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    return explain(error, terminal(io, isJson(program)))
  }
}

function configure(program: Command, io: CommandIo): void {
  program
    .description('credentials for the tasks of AI agents, ended by themselves')
    .version(version(), '-V, --version')
    .option('--json', 'print what the API answers')
    .exitOverride()
    .showHelpAfterError('(add --help for what is possible)')
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
    .addHelpText(
      'after',
      `\nMAYFLY_URL says where the broker is (${DEFAULT_URL}), MAYFLY_TOKEN is the operator's token.\nExit codes: 0 done, 1 refused or failed, 2 usage.`,
    )
}

function contextOf(program: Command, io: CommandIo): Context {
  return {
    io,
    terminal: terminal(io, isJson(program)),
    now: () => io.clockSource.wall(),
    api: () => {
      const { MAYFLY_URL: url, MAYFLY_TOKEN: token } = io.env
      if (url && !(/^https?:\/\//.test(url) && URL.canParse(url))) {
        throw new UsageError(`MAYFLY_URL "${url}" must be like ${DEFAULT_URL} or https://…`)
      }
      // What fetch says of such a header repeats it (P2).
      if (token && !/^[\x21-\x7e]+$/.test(token.trim())) {
        throw new UsageError('MAYFLY_TOKEN has a space, a line break or a letter no token has')
      }
      return apiClient({ url: url || DEFAULT_URL, ...(token ? { token: token.trim() } : {}) })
    },
  }
}

function isJson(program: Command): boolean {
  return program.opts<{ json?: boolean }>().json === true
}

/** Says what went wrong to a person; with `--json` the API's refusal goes to stdout as it came. */
function explain(error: unknown, { json, answer, note }: Terminal): number {
  if (error instanceof UsageError) {
    note(`mayfly: ${safe(error.message)}`)
    return 2
  }
  if (error instanceof ApiError) {
    if (json && error.problem) answer(error.problem)
    note(`mayfly: ${safe(error.message)} (${error.status} ${safe(error.code)})`)
    for (const { path, message } of error.problem?.errors ?? []) {
      note(`  ${safe(path)}: ${safe(message)}`)
    }
    const hint = hintFor(error)
    if (hint !== undefined) note(`  ${hint}`)
    return 1
  }
  if (error instanceof MayflyError) {
    note(`mayfly: ${safe(error.message)}`)
    for (const { path, message } of error.problems ?? []) note(`  ${safe(path)}: ${safe(message)}`)
    return 1
  }
  const text = error instanceof Error ? error.message : String(error)
  note(`mayfly: ${safe(text)}`)
  return 1
}

function hintFor({ status, problem }: ApiError): string | undefined {
  if (status === 401) return 'set MAYFLY_TOKEN to an operator token that is not expired'
  if (problem?.retry_after !== undefined) return `try again in ${problem.retry_after} s`
  return problem === undefined ? undefined : `request ${safe(problem.request_id)}`
}

/** From package.json, which lies above the sources and above `dist`. */
function version(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const text = readFileSync(new URL(path, import.meta.url), 'utf8')
      return String((JSON.parse(text) as { version: unknown }).version) // our own package.json
    } catch {}
  }
  return 'unknown'
}
