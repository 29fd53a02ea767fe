import { diffConfig } from '../config/diff.ts'
import type { Problem } from '../errors.ts'
import { type LoadResult, loadConfig } from '../load-config.ts'
import type { Context, ExitCode } from './command.ts'
import { plural } from './plural.ts'
import { safe, type Terminal } from './terminal.ts'

type Loaded = Extract<LoadResult, { ok: true }>

/** Loads a file as `serve` would and prints all that is wrong or doubtful; undefined if refused. */
export async function loadOrExplain(
  { io, terminal }: Context,
  file: string,
): Promise<Loaded | undefined> {
  const loaded = await loadConfig({ file, env: io.env, now: io.clockSource.wall() })
  if (terminal.json) {
    if (!loaded.ok) terminal.answer({ ok: false, problems: loaded.problems })
    return loaded.ok ? loaded : undefined
  }
  printProblems(terminal, { level: 'warning', problems: loaded.warnings })
  if (loaded.ok) return loaded
  printProblems(terminal, { level: 'problem', problems: loaded.problems })
  terminal.note(`mayfly: ${file} cannot be used: ${plural(loaded.problems.length, 'problem')}`)
  return undefined
}

/** `config check`: the same function as start-up. */
export async function checkConfig(context: Context, file: string): Promise<ExitCode> {
  const loaded = await loadOrExplain(context, file)
  if (loaded === undefined) return 1
  const { terminal } = context
  if (terminal.json) {
    terminal.answer({ ok: true, policy_hash: loaded.policies.hash, warnings: loaded.warnings })
    return 0
  }
  const { agents, entitlements, providers } = loaded.config
  const policies = loaded.policies.policyIds.length
  const counts = [
    plural(agents.length, 'agent'),
    plural(entitlements.length, 'entitlement'),
    plural(providers.length, 'provider'),
    policies === 1 ? '1 policy' : `${policies} policies`,
  ]
  terminal.line(`${file} is usable: ${counts.join(', ')}`)
  return 0
}

/** `config diff OTHER`: what taking over `file` would change, seen from `other`. */
export async function diffConfigFiles(
  context: Context,
  { file, other }: { file: string; other: string },
): Promise<ExitCode> {
  const [before, after] = [await loadOrExplain(context, other), await loadOrExplain(context, file)]
  if (before === undefined || after === undefined) return 1
  const changes = diffConfig(before.config, after.config)
  if (context.terminal.json) context.terminal.answer({ changes })
  else for (const change of changes) context.terminal.line(safe(change))
  if (changes.length === 0) context.terminal.note('nothing changes')
  return 0
}

export function printProblems(
  terminal: Terminal,
  { level, problems }: { level: 'warning' | 'problem'; problems: readonly Problem[] },
): void {
  const mark = terminal.paint(level === 'problem' ? 'red' : 'yellow', level)
  for (const { path, message } of problems) {
    terminal.line(`${mark}  ${safe(path)}${path === '' ? '' : ': '}${safe(message)}`)
  }
}
