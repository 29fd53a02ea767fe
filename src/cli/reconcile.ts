import type { FindingWire, ReconciliationWire } from '../model/wire.ts'
import type { Context, ExitCode } from './command.ts'
import { plural } from './plural.ts'
import { safe } from './terminal.ts'

/** `reconcile`: 1 where something is left that no repair took care of. */
export async function reconcile(
  { api, terminal }: Context,
  { provider, dryRun }: { provider?: string; dryRun?: boolean },
): Promise<ExitCode> {
  const answer = await api().reconcile({
    ...(provider === undefined ? {} : { provider }),
    ...(dryRun ? { dry_run: true } : {}),
  })
  if (terminal.json) terminal.answer(answer)
  else for (const one of answer.items) print(terminal, one)
  const left = answer.items.some(
    ({ error, findings }) =>
      error !== undefined || findings.some(({ repair }) => repair !== 'done'),
  )
  return left ? 1 : 0
}

const DONE = { done: 'repaired', possible: 'would be repaired', none: 'for you', failed: 'FAILED' }

function print(terminal: Context['terminal'], seen: ReconciliationWire): void {
  const { provider, items, findings, error } = seen
  terminal.line(terminal.paint('bold', `provider ${safe(provider)}: ${summary(seen)}`))
  if (error !== undefined) terminal.line(`  ${terminal.paint('red', 'ERROR')}  ${safe(error)}`)
  else if (items === undefined)
    terminal.line('  this upstream lists nothing; what was proved was looked at again')
  for (const finding of findings) printFinding(terminal, finding)
}

function summary({ items, findings, error }: ReconciliationWire): string {
  if (error !== undefined) return 'could not be looked at'
  const listed = items === undefined ? '' : `${plural(items, 'thing')} listed, `
  return `${listed}${findings.length === 0 ? 'nothing differs' : plural(findings.length, 'difference')}`
}

function printFinding(terminal: Context['terminal'], finding: FindingWire): void {
  const { kind, what, lease, upstream_name, slot, repair, error, advice } = finding
  const name = lease ?? upstream_name ?? slot ?? ''
  terminal.line(`  ${kind}  ${safe(name)}  ${DONE[repair]}`)
  terminal.line(`    ${safe(what)}`)
  if (error !== undefined) terminal.line(`    ${terminal.paint('red', safe(error))}`)
  terminal.line(`    -> ${safe(advice)}`)
}
