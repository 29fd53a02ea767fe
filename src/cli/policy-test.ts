import type { PolicyEngine } from '../policy/engine.ts'
import type { Context, ExitCode } from './command.ts'
import { printProblems } from './config-files.ts'
import { type Case, readSuites, type Suite } from './expected-decisions.ts'
import { plural } from './plural.ts'
import { loadDirectory } from './policy-check.ts'
import { safe, type Terminal } from './terminal.ts'

interface Verdict {
  readonly file: string
  readonly name: string
  readonly ok: boolean
  readonly expected: string
  readonly was: string
  readonly why: readonly string[]
}

/** `policy test`: decides what files of expectations describe; 1 if any comes out differently. */
export async function testPolicies(
  context: Context,
  path: string,
  flags: { readonly policies?: string },
): Promise<ExitCode> {
  const { terminal } = context
  const suites = readSuites(path)
  const problems = suites.flatMap(({ file, problems: found }) =>
    found.map((problem) => ({ ...problem, path: `${file}: ${problem.path}` })),
  )
  if (problems.length > 0) {
    if (terminal.json) terminal.answer({ ok: false, problems })
    else printProblems(terminal, { level: 'problem', problems })
    return 1
  }
  const verdicts: Verdict[] = []
  for (const suite of suites) {
    const engine = loadDirectory(context, flags.policies ?? suite.policies)
    if (engine === undefined) return 1
    verdicts.push(...suite.cases.map((one) => judge(engine, suite, one)))
  }
  const failed = verdicts.filter(({ ok }) => !ok).length
  if (terminal.json) terminal.answer({ ok: failed === 0, tests: verdicts })
  else print(terminal, verdicts)
  return failed === 0 ? 0 : 1
}

function judge(engine: PolicyEngine, { file }: Suite, one: Case): Verdict {
  const { outcome, policies, reasons } = engine.decide(one.question)
  const by = one.by?.toSorted()
  const ok = outcome === one.outcome && (!by || String(by) === String(policies.toSorted()))
  const lacking = outcome === 'permit' || ok ? [] : engine.lacking(one.question)
  return {
    file,
    name: one.name,
    ok,
    expected: `${one.outcome}${by ? ` by ${list(by)}` : ''}`,
    was: `${outcome}${policies.length > 0 || by ? ` by ${list(policies)}` : ''}`,
    why: [
      ...(ok ? [] : reasons),
      ...lacking.map(({ policy, conditions }) => `"${policy.id}" lacks ${conditions.join(' && ')}`),
    ],
  }
}

function list(policies: readonly string[]): string {
  return policies.length === 0 ? 'no policy' : policies.join(', ')
}

function print(terminal: Terminal, verdicts: readonly Verdict[]): void {
  for (const { ok, name, file, expected, was, why } of verdicts) {
    if (ok) {
      terminal.line(`${terminal.paint('green', 'ok  ')}  ${safe(name)}`)
      continue
    }
    terminal.line(
      `${terminal.paint('red', 'FAIL')}  ${safe(name)}  ${terminal.paint('dim', safe(file))}`,
    )
    terminal.line(`        ${terminal.paint('green', `- ${safe(expected)}`)}`)
    terminal.line(`        ${terminal.paint('red', `+ ${safe(was)}`)}`)
    for (const line of why) terminal.line(`          ${safe(line)}`)
  }
  const failed = verdicts.filter(({ ok }) => !ok).length
  terminal.line()
  terminal.line(
    failed === 0
      ? `${plural(verdicts.length, 'expectation')} met`
      : `${failed} of ${plural(verdicts.length, 'expectation')} not met`,
  )
}
