import type { ApprovalFilter } from '../client/http.ts'
import { formatDuration } from '../duration.ts'
import type { ApprovalWire } from '../model/wire.ts'
import type { Context, ExitCode } from './command.ts'
import { list } from './list.ts'
import { intentText } from './lists.ts'
import { safe } from './terminal.ts'
import { when } from './when.ts'

/** `approvals`: what waits for a person, and that person's yes or no. */

export function listApprovals(
  context: Context,
  { all, state, ...filter }: ApprovalFilter & { all?: true },
): Promise<ExitCode> {
  const now = context.now()
  return list(context, {
    page: (api) => api.approvals({ ...filter, ...(all ? {} : { state }) }),
    empty: all ? 'no approvals' : `no approval is ${state}`,
    columns: [
      { title: 'APPROVAL', cell: (a) => a.id, keep: true },
      { title: 'STATE', cell: stateText },
      { title: 'AGENT', cell: (a) => a.agent },
      { title: 'TENANT', cell: (a) => a.tenant, spare: true },
      { title: 'ENTITLEMENT', cell: (a) => a.entitlement },
      { title: 'IMPACT', cell: (a) => a.impact.join(' ') || '-' },
      { title: 'RISK', cell: (a) => a.review?.risk.level, spare: true },
      { title: 'FOR', cell: (a) => formatDuration(a.ttl_seconds), spare: true },
      { title: 'UNTIL', cell: (a) => (isOpen(a) ? when(a.expires_at, now) : '-') },
      { title: 'WHAT', cell: (a) => a.intent.map(intentText).join('; ') },
    ],
  })
}

export async function approve(
  { api, terminal, now }: Context,
  id: string,
  reason: string | undefined,
): Promise<ExitCode> {
  const approval = await api().approve(id, reason)
  if (terminal.json) {
    terminal.answer(approval)
    return 0
  }
  const { agent, entitlement, expires_at } = approval
  terminal.line(`approved ${approval.id}: ${safe(agent)} may have ${safe(entitlement)} once`)
  terminal.line(`  until    ${when(expires_at, now())}, by the same request again`)
  terminal.line(`  undo     mayfly approvals deny ${approval.id} --reason …, until it is used`)
  return 0
}

export async function deny(
  { api, terminal }: Context,
  id: string,
  reason: string,
): Promise<ExitCode> {
  const approval = await api().deny(id, reason)
  if (terminal.json) terminal.answer(approval)
  else terminal.line(`denied ${approval.id}: ${safe(approval.agent)} gets nothing for it`)
  return 0
}

function stateText({ state, cause }: ApprovalWire): string {
  return cause === undefined ? state : `${state} (${cause})`
}

function isOpen({ state }: ApprovalWire): boolean {
  return state === 'pending' || state === 'granted'
}
