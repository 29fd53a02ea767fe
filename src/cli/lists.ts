import type { DecisionFilter, LeaseFilter, Paging, TaskFilter } from '../client/http.ts'
import { formatDuration } from '../duration.ts'
import type { DecisionWire, IntentItemWire, LeaseWire } from '../model/wire.ts'
import type { Context, ExitCode } from './command.ts'
import { list, marked } from './list.ts'
import { when } from './when.ts'

/** `ls` of what works here, of what is configured, and of what was decided. */

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
      {
        title: 'BY',
        cell: (d) => [...d.rails, ...d.policies].join(' ') || undefined,
        spare: true,
      },
      { title: 'WHY', cell: (d) => d.reasons.join('; ') },
    ],
  })
}

export function intentText({ actions, locations }: IntentItemWire): string {
  return `${actions.join(',')} on ${locations.join(',')}`
}
