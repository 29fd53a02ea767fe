import { CONTAINMENTS } from '../model/lease.ts'
import type { KillWire } from '../model/wire.ts'
import type { Context, ExitCode } from './command.ts'
import { plural } from './plural.ts'
import { show } from './show.ts'
import { when } from './when.ts'

const LOOK_EVERY_MS = 500
const WAIT_SECONDS = 60

/** `kills show`: as it stands, or with `--wait` how it comes along. */
export async function showKill(
  context: Context,
  id: string,
  { wait }: { readonly wait?: number | true },
): Promise<ExitCode> {
  if (wait === undefined) return await show(context, 'killed', id)
  const kill = await waitForKill(context, id, wait)
  if (context.terminal.json) context.terminal.answer(kill)
  return isOver(kill) ? 0 : 1
}

/**
 * Looks until nothing of a kill waits for its upstream any more, or the time is up; says what
 * changes. Done is also what the upstream accepted to refuse and cannot be seen refused.
 */
export async function waitForKill(
  { api, io, terminal, now }: Context,
  id: string,
  wait: number | true,
): Promise<KillWire> {
  const seconds = wait === true ? WAIT_SECONDS : wait
  const until = io.clockSource.monotonic() + seconds * 1_000
  let said = ''
  for (;;) {
    const kill = await api().killed(id)
    const text = progressText(kill, now())
    if (text !== said && !terminal.json) terminal.line(`  so far   ${text}`)
    said = text
    if (kill.unreadable)
      terminal.note('the row of this kill is damaged, and may have named more: order it again')
    if (kill.unreadable || isOver(kill)) return kill
    if (io.clockSource.monotonic() >= until) {
      terminal.note(`not all has ended yet: mayfly kills show ${kill.id} --wait, mayfly endings ls`)
      return kill
    }
    await new Promise<void>((resolve) => io.clockSource.after(LOOK_EVERY_MS, resolve))
  }
}

export function isOver({ state, progress, unreadable }: KillWire): boolean {
  if (unreadable) return false
  return state === 'ended' || (state === 'ending' && progress.pending + progress.unknown === 0)
}

/** The order is committed first and its leases follow: those not there yet are only ordered. */
export function progressText({ counts, progress, state }: KillWire, now: number): string {
  const reached = CONTAINMENTS.reduce((sum, containment) => sum + progress[containment], 0)
  const ordered = state === 'ordering' ? Math.max(0, counts.leases - reached) : 0
  const parts = [
    ...(ordered > 0 ? [`${ordered} ordered`] : []),
    ...CONTAINMENTS.filter((one) => progress[one] > 0).map((one) => `${progress[one]} ${one}`),
  ]
  const { remaining, exposed_until, oldest_ending_since } = progress
  if (remaining > 0) {
    parts.push(
      `${plural(remaining, 'lease')} could still work, the last ${when(exposed_until, now)}`,
    )
    const since = when(oldest_ending_since, now)
    if (since !== undefined) parts.push(`waiting since ${since}`)
  }
  return parts.join(', ') || 'nothing to end'
}
