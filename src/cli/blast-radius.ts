import type { BlastRadiusWire, KillWire } from '../model/wire.ts'
import { plural } from './plural.ts'
import { safe, type Terminal } from './terminal.ts'
import { when } from './when.ts'

/** What a dry run found, for whoever has to decide: what can be ended, until when, what breaks. */
export function printRadius(
  terminal: Terminal,
  { radius, counts, now }: { radius: BlastRadiusWire; counts: KillWire['counts']; now: number },
): void {
  const { refusable, refused, runs_out, exposed_until } = radius
  const { upstreams, entitlements, agents, tasks } = radius
  if (refusable > 0) terminal.line(`  ends     ${plural(refusable, 'lease')} before they expire`)
  if (refused > 0) terminal.line(`  refused  ${plural(refused, 'lease')} already, by an end before`)
  if (runs_out > 0) {
    const last = latest(upstreams.filter((upstream) => !upstream.refusable))
    terminal.line(
      `  runs out ${plural(runs_out, 'lease')} only by itself, the last ${when(last, now)}`,
    )
  }
  if (exposed_until !== undefined) {
    terminal.line(
      `  exposed  ${exposed_until} (${when(exposed_until, now)}) if nothing could be ended`,
    )
  }
  const named = (one: { leases: number }, name: string) => `${safe(name)} (${one.leases})`
  const breaks = (title: string, names: readonly string[]) => {
    if (names.length > 0) terminal.line(`  ${title.padEnd(9)}${names.join(', ')}`)
  }
  breaks(
    'grants',
    entitlements.map((one) => named(one, one.entitlement)),
  )
  breaks(
    'agents',
    agents.map((one) => named(one, one.agent)),
  )
  if (upstreams.length > 0) {
    terminal.line()
    terminal.table(
      [
        { title: 'PROVIDER', cell: (u) => u.provider, keep: true },
        { title: 'LEASES', cell: (u) => String(u.leases) },
        { title: 'EARLY END', cell: (u) => (u.refusable ? u.revocability : 'no: runs out') },
        { title: 'EXPOSED', cell: (u) => when(u.exposed_until, now) },
      ],
      upstreams,
      '',
    )
  }
  if (tasks.length === 0) return
  terminal.line()
  terminal.table(
    [
      { title: 'TASK', cell: (t) => t.id, keep: true },
      { title: 'AGENT', cell: (t) => t.agent },
      { title: 'TENANT', cell: (t) => t.tenant, spare: true },
      { title: 'LEASES', cell: (t) => String(t.leases) },
      { title: 'TASK THEN', cell: (t) => then(t) },
      { title: 'PURPOSE (AGENT SAYS)', cell: (t) => t.purpose },
    ],
    tasks,
    '',
  )
  const more = counts.tasks - tasks.length
  if (more > 0) terminal.line(terminal.paint('dim', `and ${plural(more, 'more task')}`))
}

function then({ ends, ended }: BlastRadiusWire['tasks'][number]): string {
  if (ended) return 'has ended'
  return ends ? 'ends' : 'goes on without'
}

function latest(upstreams: BlastRadiusWire['upstreams']): string | undefined {
  return upstreams
    .map((upstream) => upstream.exposed_until)
    .toSorted()
    .at(-1)
}
