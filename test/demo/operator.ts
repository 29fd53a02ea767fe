import { runCli } from '../../src/cli/program.ts'
import type { LeaseWire, PageWire } from '../../src/model/wire.ts'
import { SOURCE } from './configuration.ts'
import { demand, type Stage } from './stage.ts'
import { COLUMNS } from './timeline.ts'

/** Runs an operator's `mayfly …`, the real command line, and shows it; fails where it fails. */
export async function mayfly(stage: Stage, args: readonly string[]): Promise<string> {
  const output = await printed(stage, args)
  stage.timeline.command(['mayfly', ...args.map(quoted)].join(' '), output)
  return output
}

/** As one types it in a shell. */
function quoted(word: string): string {
  return /[\s?*]/.test(word) ? `"${word}"` : word
}

export async function listLive(stage: Stage): Promise<void> {
  const output = await mayfly(stage, ['leases', 'ls'])
  const live = await activeLeases(stage)
  for (const { lease } of stage.task.lent) {
    demand(output.includes(lease.id) && live.includes(lease.id), `${lease.id} is not active`)
  }
}

export async function listEnded(stage: Stage): Promise<void> {
  const output = await mayfly(stage, ['leases', 'ls'])
  demand(output.includes('ended/proved'), 'no lease is proved to have ended')
  const kills = await mayfly(stage, ['kills', 'ls'])
  demand(kills.includes(`source:${SOURCE}`), 'the kill that the signal ordered is not listed')
  const live = await activeLeases(stage)
  demand(live.length === 0, `still active: ${live.join(', ')}`)
}

async function activeLeases(stage: Stage): Promise<string[]> {
  const page: unknown = JSON.parse(
    await printed(stage, ['leases', 'ls', '--state', 'active', '--json']),
  )
  // What the command prints is the API's own answer, a page of leases.
  return (page as PageWire<LeaseWire>).items.map(({ id }) => id)
}

export async function verifyAudit(stage: Stage): Promise<void> {
  await mayfly(stage, ['audit', 'verify'])
  const verdict: unknown = JSON.parse(await printed(stage, ['audit', 'verify', '--json']))
  const { ok, events } = Object(verdict) as { ok: unknown; events: unknown } // checked below
  stage.audit.events = Number(events)
  stage.audit.verified = ok === true
  demand(stage.audit.verified && stage.audit.events > 0, 'the audit log is broken')
}

/** What such a command prints. */
export async function printed(stage: Stage, args: readonly string[]): Promise<string> {
  const { world } = stage
  const { url: MAYFLY_URL, configuration } = world
  const env = { MAYFLY_URL, MAYFLY_TOKEN: configuration.operatorToken, COLUMNS: String(COLUMNS) }
  const { code, stdout, stderr } = await attempt(stage, { args, env })
  demand(code === 0, `mayfly ${args.join(' ')} failed: ${stderr || stdout}`)
  return stdout
}

/** Runs a command that may fail, with nothing but `env` in its environment. */
export async function attempt(
  { world }: Stage,
  { args, env }: { readonly args: readonly string[]; readonly env: Record<string, string> },
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const { clockSource, random } = world
  let stdout = ''
  let stderr = ''
  const code = await runCli(args, {
    env,
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    ask: async () => undefined,
    clockSource,
    random,
    serve: () => Promise.reject(new Error('it is being served already')),
  })
  return { code, stdout, stderr }
}
