import { readFileSync } from 'node:fs'
import { describeSelector } from '../model/selector.ts'
import type { SignalTestWire } from '../model/wire.ts'
import { type Context, type ExitCode, UsageError } from './command.ts'
import { plural } from './plural.ts'
import { safe } from './terminal.ts'

/** `signal test SOURCE FILE`: what a message would do if its source sent it; 1 if it were refused. */
export async function testSignal(
  { api, terminal }: Context,
  source: string,
  file: string,
): Promise<ExitCode> {
  const test = await api().testSignal(source, read(file))
  if (terminal.json) terminal.answer(test)
  else for (const line of linesOf(test)) terminal.line(safe(line))
  return test.refused === undefined ? 0 : 1
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    throw new UsageError(`${file} cannot be read`)
  }
}

function linesOf(test: SignalTestWire): string[] {
  if (test.refused !== undefined) return [`would be refused: ${test.refused}`]
  const { about, subjects = [], level, action, reason, matched, ttl_seconds } = test
  const whom = subjects.map((one) => describeSelector(one)).join(' or ') || 'nobody known here'
  const ends = matched && `${plural(matched.leases, 'lease')}, ${plural(matched.tasks, 'task')}`
  return [
    ...(about?.event === undefined ? [] : [`event    ${about.event}`]),
    ...(about?.subject === undefined ? [] : [`said     ${JSON.stringify(about.subject)}`]),
    `about    ${whom}${about?.why === undefined ? '' : ` (${about.why})`}`,
    ...(level === undefined ? [] : [`level    ${level}`]),
    `action   ${action === 'note' ? 'none, it is only kept' : action}`,
    ...(ttl_seconds === undefined ? [] : [`for      ${ttl_seconds} s`]),
    `ends     ${ends ?? 'nothing'}`,
    `reason   ${reason ?? ''}`,
    ...(test.signature === 'right' ? [] : ['its signature was not checked; nothing was changed']),
  ]
}
