import type { KillOrder } from '../client/http.ts'
import { parseDuration } from '../duration.ts'
import { isNarrow, SELECTOR_FIELDS } from '../model/selector.ts'
import type { KillWire, SelectorWire } from '../model/wire.ts'
import { printRadius } from './blast-radius.ts'
import { type Context, type ExitCode, UsageError } from './command.ts'
import { isOver, progressText, waitForKill } from './kill-progress.ts'
import { plural } from './plural.ts'
import { reachText } from './reach.ts'
import { safe, type Terminal } from './terminal.ts'

/** What `mayfly kill` was told; selector flags by their name in the selector. */
export interface KillFlags {
  readonly selector: Readonly<Record<string, string | boolean | undefined>>
  readonly reason: string
  /** `1h`; `0` for no block. */
  readonly block?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
  /** Watch it come along, for so many seconds. */
  readonly wait?: number | true
}

/** `kill`: check → confirm if it is everything → order → say what happened, wait if told to. */
export async function kill(context: Context, flags: KillFlags): Promise<ExitCode> {
  const selector = selectorOf(flags.selector)
  const order: KillOrder = {
    selector,
    reason: flags.reason,
    ...(flags.block === undefined ? {} : { block_seconds: blockSeconds(flags.block) }),
    ...(flags.dryRun ? { dry_run: true } : {}),
  }
  const mustConfirm = selector.all && !flags.dryRun && !flags.yes
  if (mustConfirm && !(await confirmed(context))) {
    context.terminal.note('nothing was killed')
    return 1
  }
  const answer = await context.api().kill(order)
  const { json } = context.terminal
  if (!json) printKill(context, { kill: answer.kill, wouldBlock: blocks(order) })
  const waits = flags.wait !== undefined && !flags.dryRun
  const kill = waits ? await waitForKill(context, answer.kill.id, flags.wait) : answer.kill
  if (json) context.terminal.answer({ kill })
  return waits && !isOver(kill) ? 1 : 0
}

/** `leases kill ID…`: one order for each id; every id is tried, whatever the others gave. */
export async function killLeases(
  context: Context,
  ids: readonly string[],
  { reason, dryRun }: { reason: string; dryRun?: boolean },
): Promise<ExitCode> {
  let failed: Error | undefined
  for (const lease of ids) {
    try {
      await kill(context, { selector: { lease }, reason, ...(dryRun ? { dryRun } : {}) })
    } catch (error) {
      if (!(error instanceof Error) || error instanceof UsageError) throw error
      context.terminal.note(`mayfly: ${safe(lease)} was not killed`)
      failed ??= error
    }
  }
  if (failed) throw failed
  return 0
}

function selectorOf(flags: KillFlags['selector']): SelectorWire {
  const named = SELECTOR_FIELDS.flatMap((field) => {
    const value = flags[field]
    return typeof value === 'string' ? [[field, value] as const] : []
  })
  if (flags.all === true) {
    if (named.length > 0) throw new UsageError('--all stands alone: it already names everything')
    return { all: true }
  }
  if (named.length > 0) return Object.fromEntries(named)
  const options = SELECTOR_FIELDS.map((field) => `--${field.replace('_', '-')}`).join(', ')
  throw new UsageError(`say what to kill: ${options} (several narrow it down), or --all`)
}

function blockSeconds(text: string): number {
  const seconds = text === '0' ? 0 : parseDuration(text)
  if (seconds !== undefined) return seconds
  throw new UsageError(`--block "${text}" is not a duration: write 30m, 1h or 0 for no block`)
}

async function confirmed({ io }: Context): Promise<boolean> {
  const answer = await io.ask(
    'This ends every lease of every tenant and blocks everything. Type "everything" to go on: ',
  )
  if (answer === undefined) throw new UsageError('--all needs --yes where nobody can be asked')
  return answer.trim() === 'everything'
}

/** As the broker decides it: one lease or task blocks nothing unless told to. */
function blocks({ selector, block_seconds }: KillOrder): boolean {
  if (block_seconds !== undefined) return block_seconds > 0
  return 'all' in selector || !isNarrow(selector)
}

function printKill(
  { terminal, now }: Context,
  { kill, wouldBlock }: { kill: KillWire; wouldBlock: boolean },
): void {
  const { counts, block, dry_run } = kill
  const what = safe(reachText(kill))
  const found = `${plural(counts.leases, 'lease')} in ${plural(counts.tasks, 'task')} of ${plural(counts.agents, 'agent')}`
  if (dry_run) {
    terminal.line(`would kill ${what}: ${found}; nothing was done`)
    if (wouldBlock) terminal.line(`  blocks   ${what}: nothing would be issued for it`)
    const radius = kill.blast_radius
    if (radius) printRadius(terminal, { radius, counts, now: now() })
    noteIfNobody(terminal, counts)
    return
  }
  terminal.line(terminal.paint('bold', `killed ${what}: ${found}`))
  noteIfNobody(terminal, counts)
  terminal.line(`  order    ${kill.id}`)
  if (counts.leases > 0) terminal.line(`  so far   ${progressText(kill, now())}`)
  if (block === undefined) {
    terminal.line('  blocked  nothing: the same can be asked for again')
  } else {
    terminal.line(`  blocked  ${block}: nothing is issued for ${what}`)
    terminal.line(`  lift     mayfly blocks lift ${block}`)
  }
  terminal.line(`  watch    mayfly kills show ${kill.id}, mayfly endings ls`)
}

function noteIfNobody(terminal: Terminal, counts: KillWire['counts']): void {
  if (counts.leases + counts.tasks + counts.agents > 0) return
  terminal.line(
    '  note     nothing live matched: is the name right? mayfly kill --help says where each is read',
  )
}
