import { isId } from '../ids.ts'
import type { Approval, ApprovalState } from '../model/approval.ts'
import type { Caller, OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { notFound } from './not-found.ts'
import { isStillConfigured, mayRead, tenantsFor } from './operator.ts'
import { type Listing, pageFrom } from './page.ts'
import type { Page } from './read.ts'

/** One approval, for the task that needs it or an operator of its tenant; else `not_found` (P11). */
export async function findApproval(
  broker: Broker,
  by: Caller,
  { id, act }: { readonly id: string; readonly act: 'readLeases' | 'approve' },
): Promise<Approval> {
  const tenants = by.kind === 'task' ? [by.task.tenant] : tenantsFor(broker, by.operator, act)
  const approval = isId('appr', id) ? await broker.store.approvals.byId(id) : undefined
  const foreign = by.kind === 'task' && approval?.task !== by.task.id
  if (!approval || foreign || !mayRead(tenants, approval.tenant)) throw notFound('approval')
  return approval
}

/** Approvals of the operator's tenants, newest first. */
export async function listApprovals(
  broker: Broker,
  by: OperatorCaller,
  request: {
    readonly filter: {
      readonly state?: ApprovalState
      readonly agent?: string
      readonly task?: string
      readonly tenant?: string
    }
    readonly page: Page
  },
): Promise<Listing<Approval>> {
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  return await pageFrom(request.page, {
    fetch: (page) => broker.store.approvals.list({ ...request.filter, tenants }, page),
    place: (approval) => `${approval.createdAt}.${approval.id}`,
  })
}

/** How often a silent stream says that it is still there. */
const KEEP_ALIVE_MS = 15_000

/**
 * The approval once it is no longer pending, or as it is when `seconds` have passed or as many wait
 * for it already as may.
 */
export async function awaitApproval(
  broker: Broker,
  by: Caller,
  wait: { readonly id: string; readonly seconds: number; readonly signal: AbortSignal },
): Promise<Approval> {
  const { id, seconds, signal } = wait
  const approval = await findApproval(broker, by, { id, act: 'readLeases' })
  if (approval.state !== 'pending' || seconds === 0) return approval
  await nextChange(broker, approval, { ms: seconds * 1000, signal })
  return await findApproval(broker, by, { id, act: 'readLeases' })
}

/** The approval as it is and after each change, while it is pending; `undefined` says: still there. */
export async function* followApproval(
  broker: Broker,
  by: Caller,
  { approval: first, signal }: { readonly approval: Approval; readonly signal: AbortSignal },
): AsyncGenerator<Approval | undefined> {
  let approval = first
  yield approval
  while (approval.state === 'pending' && !signal.aborted) {
    const heard = await nextChange(broker, approval, { ms: KEEP_ALIVE_MS, signal })
    if (heard === 'none') return
    // A stream is no longer-lived permission than a request.
    if (by.kind === 'operator' && !isStillConfigured(broker, by.operator)) return
    if (heard === 'time') yield undefined
    else {
      approval = await findApproval(broker, by, { id: approval.id, act: 'readLeases' })
      yield approval
    }
  }
}

/**
 * What ended the wait; `none`: nobody will tell. No commit comes between reading an approval and
 * this, because commits take a turn of the event loop of their own.
 */
function nextChange(
  { store, clock }: Broker,
  { id }: Approval,
  { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
): Promise<'change' | 'time' | 'none'> {
  return new Promise((resolve) => {
    const over = (how: 'change' | 'time' | 'none') => {
      watching?.stop()
      cancel()
      signal.removeEventListener('abort', abandon)
      resolve(how)
    }
    const abandon = () => over('none')
    const watching = store.approvals.watch(id, () => over('change'))
    const cancel = clock.after(ms, () => over('time'))
    if (!watching || signal.aborted) return over('none')
    signal.addEventListener('abort', abandon)
  })
}
