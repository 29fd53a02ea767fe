import { describeSelector } from '../model/selector.ts'
import type { TaskOutcome } from '../model/wire.ts'
import { type Context, type ExitCode, UsageError } from './command.ts'
import { plural } from './plural.ts'
import { reachText } from './reach.ts'
import { safe } from './terminal.ts'

/** The operator's single acts on one thing: each says what is true now. */

export async function endTask(
  { api, terminal }: Context,
  id: string,
  outcome: TaskOutcome,
): Promise<ExitCode> {
  const task = await api().endTask(id, outcome)
  if (terminal.json) terminal.answer(task)
  else {
    terminal.line(`ended ${task.id} (${task.outcome ?? task.state}): its leases end with it`)
    terminal.line('  watch    mayfly endings ls')
  }
  return 0
}

export async function liftBlock({ api, terminal }: Context, id: string): Promise<ExitCode> {
  const block = await api().liftBlock(id)
  if (terminal.json) terminal.answer(block)
  else {
    terminal.line(`lifted ${block.id}: ${safe(reachText(block) || 'everybody')} may ask again`)
    terminal.line(
      '  note     other blocks or risk may still refuse: mayfly blocks ls, mayfly risk ls',
    )
  }
  return 0
}

export async function clearRisk(
  { api, terminal }: Context,
  signals: readonly string[],
  { reason }: { reason: string },
): Promise<ExitCode> {
  const answer = await api().clearRisk({ signals, reason })
  if (terminal.json) terminal.answer(answer)
  else {
    for (const { signal, level, subject, source } of answer.cleared) {
      const whom = safe(describeSelector(subject) || `whoever ${source} may name`)
      terminal.line(`cleared ${signal}: ${level} of ${whom}, said by ${safe(source)}`)
    }
    terminal.line(
      '  note     what was ended stays ended; other risk or blocks may still refuse: mayfly risk ls, mayfly blocks ls',
    )
  }
  return 0
}

export async function confirmRestore(
  { api, terminal }: Context,
  reason: string,
): Promise<ExitCode> {
  const answer = await api().confirmRestore(reason)
  if (terminal.json) terminal.answer(answer)
  else {
    const { id, counts } = answer.kill
    terminal.line('confirmed: tasks can be opened and credentials issued again')
    terminal.line(
      `  ends     ${plural(counts.tasks, 'task')} and ${plural(counts.leases, 'lease')} that came back with the database: mayfly kills show ${id}`,
    )
    terminal.line('  look     mayfly reconcile finds what the database does not know of')
  }
  return 0
}

export async function retryEnding(
  { api, terminal }: Context,
  lease: string | undefined,
  which: { readonly provider?: string },
): Promise<ExitCode> {
  if (lease !== undefined && which.provider !== undefined) {
    throw new UsageError('say one lease, or --provider, or neither for all')
  }
  if (lease === undefined) {
    const answer = await api().retryEndings(which)
    if (terminal.json) terminal.answer(answer)
    else {
      terminal.line(`${plural(answer.retried, 'ending')} tried again now: watch mayfly endings ls`)
    }
    return 0
  }
  const ending = await api().retryEnding(lease)
  if (terminal.json) terminal.answer(ending)
  else terminal.line(`${lease} is tried again now: watch mayfly endings ls`)
  return 0
}

export async function reload(
  { api, terminal }: Context,
  confirm: string | undefined,
): Promise<ExitCode> {
  const answer = await api().reload(confirm)
  if (terminal.json) {
    terminal.answer(answer)
    return answer.applied ? 0 : 1
  }
  for (const change of answer.changes) terminal.line(safe(change))
  if (answer.changes.length === 0) terminal.line('nothing changes')
  if (answer.applied) {
    terminal.line(`reloaded: ${plural(answer.would_end, 'live lease')} ended with it`)
    return 0
  }
  terminal.line(
    terminal.paint('yellow', `not applied: it would end ${plural(answer.would_end, 'live lease')}`),
  )
  if (answer.confirm !== undefined) {
    terminal.line(`  confirm  mayfly reload --confirm ${safe(answer.confirm)}`)
  }
  return 1
}
