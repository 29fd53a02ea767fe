import type { Paging } from '../client/http.ts'
import { formatDuration } from '../duration.ts'
import { describeSelector } from '../model/selector.ts'
import type { KillWire, ProviderWire, RiskWire } from '../model/wire.ts'
import type { Context, ExitCode } from './command.ts'
import { list, marked } from './list.ts'
import { plural } from './plural.ts'
import { reachText } from './reach.ts'
import { safe } from './terminal.ts'
import { when } from './when.ts'

/** `ls` of what an incident is about: who is in trouble, what was ordered, what is not dead yet. */

export function listKills(context: Context, paging: Paging): Promise<ExitCode> {
  const now = context.now()
  return list(context, {
    page: (api) => api.kills(paging),
    empty: 'nothing was killed',
    columns: [
      { title: 'KILL', cell: (k) => k.id, keep: true },
      { title: 'KILLS', cell: (k) => reachText(k) || 'nobody (unreadable)' },
      { title: 'STATE', cell: killState },
      { title: 'LEASES', cell: (k) => String(k.counts.leases), spare: true },
      { title: 'TASKS', cell: (k) => String(k.counts.tasks), spare: true },
      { title: 'WHEN', cell: (k) => when(k.created_at, now) },
      { title: 'BY', cell: (k) => k.ordered_by },
      { title: 'REASON', cell: (k) => k.reason },
    ],
  })
}

/** `ending, 3 left`: what could still work is what a person looks for first. */
function killState(kill: KillWire): string {
  const { remaining } = kill.progress
  const state = kill.state ?? 'unknown'
  return marked(remaining > 0 ? `${state}, ${remaining} left` : state, kill)
}

export function listProviders(context: Context, paging: Paging): Promise<ExitCode> {
  return list(context, {
    page: (api) => api.providers(paging),
    empty: 'no providers are configured',
    columns: [
      { title: 'PROVIDER', cell: (p) => p.id, keep: true },
      { title: 'TYPE', cell: (p) => p.type, spare: true },
      { title: 'MINT', cell: (p) => circuitText(p.circuits.mint, p.problem && 'withheld') },
      { title: 'REVOKE', cell: (p) => circuitText(p.circuits.revoke) },
      { title: 'PROBLEM', cell: (p) => p.problem },
    ],
  })
}

function circuitText(
  { open, failures }: ProviderWire['circuits']['mint'],
  closed: string | undefined = 'ok',
): string {
  const state = open ? 'circuit open' : closed
  return failures === 0 ? state : `${state}, ${plural(failures, 'failure')}`
}

/** What is not dead yet, and which providers are the reason. */
export async function listEndings(
  context: Context,
  filter: Paging & { provider?: string },
): Promise<ExitCode> {
  const now = context.now()
  const { api, terminal } = context
  const code = await list(context, {
    page: (api) => api.endings(filter),
    empty: 'nothing is ending',
    columns: [
      { title: 'LEASE', cell: (e) => e.lease, keep: true },
      { title: 'AGENT', cell: (e) => e.agent, spare: true },
      { title: 'PROVIDER', cell: (e) => e.provider },
      { title: 'LANE', cell: (e) => e.lane, spare: true },
      { title: 'STATE', cell: (e) => marked(e.containment, e) },
      { title: 'AGE', cell: (e) => formatDuration(e.age_seconds), spare: true },
      { title: 'TRIES', cell: (e) => String(e.attempts), spare: true },
      { title: 'NEXT', cell: (e) => when(e.next_try_at, now) },
      { title: 'EXPOSED', cell: (e) => when(e.exposed_until, now) },
      { title: 'ERROR', cell: (e) => e.last_error },
    ],
  })
  if (terminal.json) return code
  for (const { id, circuits } of (await api().providers()).items) {
    const open = (['revoke', 'mint'] as const).filter((direction) => circuits[direction].open)
    for (const direction of open) terminal.note(`${safe(id)}: ${OPEN_CIRCUIT[direction]}`)
  }
  return code
}

const OPEN_CIRCUIT = {
  revoke: 'ending leases fails there: nothing is minted, ends are tried on (mayfly providers ls)',
  mint: 'minting fails there: it is asked again every ten seconds (mayfly providers ls)',
}

export function listBlocks(
  context: Context,
  { all, ...paging }: Paging & { all?: true },
): Promise<ExitCode> {
  const now = context.now()
  return list(context, {
    page: (api) => api.blocks({ ...paging, ...(all ? { state: 'all' } : {}) }),
    empty: 'nothing is blocked',
    columns: [
      { title: 'BLOCK', cell: (b) => b.id, keep: true },
      { title: 'BLOCKS', cell: (b) => reachText(b) || 'everybody (unreadable)' },
      { title: 'UNTIL', cell: (b) => (b.lifted_at ? 'lifted' : untilText(b.expires_at, now)) },
      { title: 'BY', cell: (b) => b.created_by, spare: true },
      { title: 'SINCE', cell: (b) => when(b.created_at, now), spare: true },
      { title: 'REASON', cell: (b) => b.reason },
    ],
  })
}

export function listRisk(context: Context, paging: Paging): Promise<ExitCode> {
  const now = context.now()
  return list(context, {
    page: (api) => api.risk(paging),
    empty: 'no risk is known: everything is LOW',
    columns: [
      { title: 'SIGNAL', cell: (r) => r.signal, keep: true },
      {
        title: 'SUBJECT',
        cell: (r) => describeSelector(r.subject) || `whoever ${r.source} may name`,
        keep: true,
      },
      { title: 'LEVEL', cell: (r) => r.level },
      { title: 'SOURCE', cell: (r) => r.source, spare: true },
      { title: 'SINCE', cell: (r) => when(r.since, now), spare: true },
      { title: 'UNTIL', cell: (r) => riskUntil(r, now) },
      { title: 'REASON', cell: (r) => r.reason },
    ],
  })
}

export function listSignals(context: Context, paging: Paging): Promise<ExitCode> {
  const now = context.now()
  return list(context, {
    page: (api) => api.signals(paging),
    empty: 'no signals were received',
    columns: [
      { title: 'SIGNAL', cell: (s) => s.id, keep: true },
      { title: 'SOURCE', cell: (s) => s.source, spare: true },
      { title: 'WHEN', cell: (s) => when(s.received_at, now) },
      {
        title: 'SUBJECT',
        cell: (s) =>
          describeSelector(s.subject) || (s.unreadable ? '(unreadable)' : '(nobody here)'),
      },
      { title: 'LEVEL', cell: (s) => (s.unreadable ? `${s.level} (unreadable)` : s.level) },
      { title: 'ACTION', cell: (s) => s.action },
      { title: 'LEASES', cell: (s) => String(s.matched.leases), spare: true },
      { title: 'REASON', cell: (s) => (s.about?.why ? `${s.reason} (${s.about.why})` : s.reason) },
    ],
  })
}

function riskUntil({ expires_at, source, unreadable }: RiskWire, now: number): string | undefined {
  if (unreadable) return 'its row is mended'
  return expires_at === undefined ? `${source} says lower` : when(expires_at, now)
}

function untilText(time: string | undefined, now: number): string {
  return time === undefined ? 'until lifted' : (when(time, now) ?? '')
}
