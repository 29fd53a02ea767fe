import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { runCli } from '../../src/cli/program.ts'

export interface Outcome {
  code: number
  stdout: string
  stderr: string
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** Runs the real executable in a process of its own, with nothing else in its environment. */
export function mayflyProcess(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: { PATH: '/usr/bin:/bin', ...env }, timeout: 15_000 }
    execFile(process.execPath, [MAIN, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 99), stdout, stderr })
    }).stdin?.end()
  })
}

/** A person at a terminal so wide, and what they type when asked. */
export interface Person {
  readonly columns: number
  readonly types?: string
}

/** Runs the command line in this process; without a person its streams are no terminals. */
export async function mayfly(
  args: readonly string[],
  env: Record<string, string> = {},
  person?: Person,
): Promise<Outcome> {
  const outcome: Outcome = { code: 0, stdout: '', stderr: '' }
  const terminal = person ? { isTTY: true, columns: person.columns } : {}
  outcome.code = await runCli(args, {
    env,
    stdout: { ...terminal, write: (text) => (outcome.stdout += text) },
    stderr: { ...terminal, write: (text) => (outcome.stderr += text) },
    ask: async () => person?.types,
    clockSource: {
      wall: Date.now,
      monotonic: () => performance.now(),
      after: (ms, run) => {
        const timer = setTimeout(run, ms)
        return () => clearTimeout(timer)
      },
    },
    random: (bytes) => randomBytes(bytes),
    serve: () => Promise.reject(new Error('not served here')),
  })
  return outcome
}
