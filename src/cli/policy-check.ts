import type { Problem } from '../errors.ts'
import { readPolicies } from '../load-config.ts'
import { loadPolicies, type PolicyEngine } from '../policy/engine.ts'
import type { Context, ExitCode } from './command.ts'
import { printProblems } from './config-files.ts'
import { plural } from './plural.ts'
import { safe } from './terminal.ts'

/** `policy check`: validation as at start-up, and what authors often get wrong. */
export async function checkPolicies(context: Context, directory: string): Promise<ExitCode> {
  const { terminal } = context
  const engine = loadDirectory(context, directory)
  if (engine === undefined) return 1
  const warnings = engine.lint()
  if (terminal.json) {
    terminal.answer({ ok: true, policy_hash: engine.hash, warnings })
    return 0
  }
  printProblems(terminal, { level: 'warning', problems: warnings })
  const count = engine.policyIds.length
  terminal.line(
    `${safe(directory)} is usable: ${count === 1 ? '1 policy' : `${count} policies`}, ${plural(warnings.length, 'warning')}`,
  )
  return 0
}

/** The policies of a directory; undefined after everything wrong with them was said. */
export function loadDirectory({ terminal }: Context, directory: string): PolicyEngine | undefined {
  const sources = readPolicies(directory)
  const load =
    'path' in sources
      ? { ok: false as const, problems: [{ ...sources, path: '' }] }
      : loadPolicies(sources)
  if (load.ok) return load.engine
  const problems = load.problems.map(withHint)
  if (terminal.json) terminal.answer({ ok: false, problems })
  else printProblems(terminal, { level: 'problem', problems })
  terminal.note(`mayfly: ${safe(directory)} cannot be used: ${plural(problems.length, 'problem')}`)
  return undefined
}

/** What people look for and policies may not see. */
function withHint({ path, message }: Problem): Problem {
  if (!/`(purpose|labels)`/.test(message)) return { path, message }
  return {
    path,
    message: `${message}; a task’s purpose and labels are the agent’s own text and never decide`,
  }
}
