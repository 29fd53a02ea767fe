import type { ApiClient, DecisionFilter, LeaseFilter, Paging, TaskFilter } from '../client/http.ts'
import { formatDuration } from '../duration.ts'
import { describeSelector } from '../model/selector.ts'
import type { DecisionWire, IntentItemWire, LeaseWire, PageWire, RiskWire } from '../model/wire.ts'
import type { Context, ExitCode } from './command.ts'
import type { Column } from './table.ts'
import { when } from './when.ts'

/** `ls` of every noun: one page of the API as a table, newest as the API orders it. */

export function listLeases(context: Context, filter: LeaseFilter): Promise<ExitCode> {
  const now = context.now()
  return list(context, {
    page: (api) => api.leases(filter),
    empty: 'no leases',
    columns: [
      { title: 'LEASE', cell: (l) => l.id, keep: true },
      { title: 'AGENT', cell: (l) => l.agent },
      { title: 'ENTITLEMENT', cell: (l) => l.entitlement },
      { title: 'PROVIDER', cell: (l) => l.provider, spare: true },
      { title: 'STATE', cell: stateOf },
      // What has ended or failed does not expire any more; until when it is exposed still counts.
      { title: 'EXPIRES', cell: (l) => (isOver(l) ? '-' : when(l.expires_at, now)), spare: true },
      { title: 'EXPOSED', cell: (l) => when(l.exposed_until, now) },
    ],
  })
}

function isOver({ state }: LeaseWire): boolean {
  return state === 'ended' || state === 'failed'
}

/** `ending/enforced`: where it stands, and how far its end is known to have come. */
export function stateOf(lease: LeaseWire): string {
  const { state, containment } = lease
  return marked(containment === undefined ? state : `${state}/${containment}`, lease)
}

/** A damaged row is told as such: what else it shows may be empty for that alone. */
function marked(text: string, { unreadable }: { unreadable?: true }): string {
  return unreadable ? `${text} (unreadable)` : text
}

export function listTasks(context: Context, filter: TaskFilter): Promise<ExitCode> {
  const now = context.now()
  return list(context, {
    page: (api) => api.tasks(filter),
    empty: 'no tasks',
    columns: [
      { title: 'TASK', cell: (t) => t.id, keep: true },
      { title: 'AGENT', cell: (t) => t.agent },
      { title: 'TENANT', cell: (t) => t.tenant, spare: true },
      { title: 'STATE', cell: (t) => marked(t.outcome ?? t.cause ?? t.state, t) },
      { title: 'OPENED', cell: (t) => when(t.created_at, now), spare: true },
      { title: 'DEADLINE', cell: (t) => when(t.deadline, now) },
      { title: 'PURPOSE', cell: (t) => t.purpose },
    ],
  })
}

export function listAgents(context: Context, paging: Paging): Promise<ExitCode> {
  return list(context, {
    page: (api) => api.agents(paging),
    empty: 'no agents are configured',
    columns: [
      { title: 'AGENT', cell: (a) => a.id, keep: true },
      { title: 'TENANT', cell: (a) => a.tenant },
      { title: 'PROOF', cell: (a) => a.proof },
      { title: 'TASKS', cell: (a) => String(a.open_tasks) },
      { title: 'LEASES', cell: (a) => String(a.active_leases) },
      { title: 'RISK', cell: (a) => a.risk },
      { title: 'BLOCKED', cell: (a) => (a.blocked ? 'yes' : 'no') },
      { title: 'OWNER', cell: (a) => a.owner },
    ],
  })
}

export function listEntitlements(context: Context, paging: Paging): Promise<ExitCode> {
  return list(context, {
    page: (api) => api.entitlements(paging),
    empty: 'no entitlements are configured',
    columns: [
      { title: 'ENTITLEMENT', cell: (e) => e.id, keep: true },
      { title: 'TENANTS', cell: (e) => e.tenants.join(' ') },
      { title: 'PROVIDER', cell: (e) => e.provider },
      { title: 'TARGET', cell: (e) => e.target },
      { title: 'TTL', cell: (e) => formatDuration(e.default_ttl_seconds) },
      { title: 'REVOCABILITY', cell: (e) => e.revocability },
      { title: 'LEASES', cell: (e) => String(e.active_leases) },
      { title: 'CEILING', cell: (e) => e.ceiling.map(intentText).join('; ') },
    ],
  })
}

export function listDecisions(context: Context, filter: DecisionFilter): Promise<ExitCode> {
  const now = context.now()
  return list(context, {
    page: (api) => api.decisions(filter),
    empty: 'no decisions',
    columns: [
      { title: 'DECISION', cell: (d) => d.id, keep: true },
      { title: 'OUTCOME', cell: (d) => marked(d.outcome, d) },
      ...(filter.shadow_differs
        ? [{ title: 'SHADOW', cell: (d: DecisionWire) => d.shadow?.outcome }]
        : []),
      { title: 'AGENT', cell: (d) => d.agent },
      { title: 'ENTITLEMENT', cell: (d) => d.entitlement },
      { title: 'WHEN', cell: (d) => when(d.at, now), spare: true },
      { title: 'BY', cell: (d) => [...d.rails, ...d.policies].join(' ') || undefined },
      { title: 'WHY', cell: (d) => d.reasons.join('; ') },
    ],
  })
}

export function listEndings(
  context: Context,
  filter: Paging & { provider?: string },
): Promise<ExitCode> {
  const now = context.now()
  return list(context, {
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
      { title: 'BLOCKS', cell: (b) => describeSelector(b.selector) || 'everybody (unreadable)' },
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
      { title: 'SOURCE', cell: (r) => r.source },
      { title: 'SINCE', cell: (r) => when(r.since, now) },
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

export function intentText({ actions, locations }: IntentItemWire): string {
  return `${actions.join(',')} on ${locations.join(',')}`
}

export async function list<Row>(
  { api, terminal }: Context,
  view: {
    page: (api: ApiClient) => Promise<PageWire<Row>>
    columns: readonly Column<Row>[]
    empty: string
  },
): Promise<ExitCode> {
  const answer = await view.page(api())
  if (terminal.json) {
    terminal.answer(answer)
    return 0
  }
  terminal.table(view.columns, answer.items, view.empty)
  if (answer.next_cursor !== null) {
    terminal.note(`there are more: add --cursor ${answer.next_cursor} (or --limit)`)
  }
  return 0
}
