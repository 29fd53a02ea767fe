import { MayflyError } from '../errors.ts'
import type { ReserveResult } from '../store/store.ts'

/** Nothing was reserved, and no approval can change that. */
export type NotReserved = Exclude<
  Extract<ReserveResult, { ok: false }>,
  { why: 'approval' | 'touched-since' }
>

/** A place whose lease is dead is being cleaned up. */
const CLEAN_UP_SECONDS = 5

/** What the agent is told. */
export function notReserved(refused: NotReserved, now: number): MayflyError {
  switch (refused.why) {
    case 'blocked':
      return new MayflyError('blocked', 'nothing is issued here until a block is lifted', {
        detail: { block: refused.block },
      })
    case 'task-ended':
      return new MayflyError('task_ended', 'the task has ended')
    case 'task-limit':
      return new MayflyError('limit_reached', 'the task has as many active leases as it may have')
    case 'agent-limit':
      return new MayflyError('limit_reached', 'the agent has as many active leases as it may have')
    case 'high-impact-pace':
      return new MayflyError(
        'limit_reached',
        'the agent had its high-impact credentials of this hour',
        {
          retryAfterSeconds: Math.ceil((refused.retryAt - now) / 1000),
        },
      )
    case 'approval-limit':
      return new MayflyError(
        'limit_reached',
        'the agent waits for as many approvals as it may; one must be decided first',
        { retryAfterSeconds: 30 },
      )
    case 'approval-cool-down':
      return new MayflyError(
        'limit_reached',
        'an approval for this entitlement was denied; ask again later',
        { retryAfterSeconds: Math.ceil((refused.retryAt - now) / 1000) },
      )
    case 'approval-pace':
      return new MayflyError('limit_reached', 'the agent asked for its approvals of this hour', {
        retryAfterSeconds: Math.ceil((refused.retryAt - now) / 1000),
      })
    case 'no-slot':
      return new MayflyError(
        'limit_reached',
        'every account of the pool is in use or quarantined',
        {
          retryAfterSeconds: Math.max(CLEAN_UP_SECONDS, Math.ceil((refused.retryAt - now) / 1000)),
        },
      )
    case 'capacity':
      return new MayflyError(
        'not_revocable_now',
        'too many leases on this target are being refused early; the rest is kept for kills',
        { retryAfterSeconds: 60 },
      )
    case 'moved':
      return new MayflyError('unavailable', 'the configuration changed meanwhile; ask again', {
        retryAfterSeconds: 1,
      })
    case 'tenant-share':
      return noPlaceFor('tenant')
    case 'agent-share':
      return noPlaceFor('agent')
    case 'in-flight':
      return new MayflyError('in_flight', 'a request with this Idempotency-Key is under way', {
        retryAfterSeconds: 1,
      })
    case 'other-body':
      return new MayflyError(
        'idempotency_mismatch',
        'this Idempotency-Key was used with another request; use a new one',
      )
  }
}

function noPlaceFor(holder: 'tenant' | 'agent'): MayflyError {
  return new MayflyError(
    'limit_reached',
    `the ${holder} holds its share of what this target can refuse early; a place is free again when an ended lease has died`,
    { retryAfterSeconds: 60 },
  )
}
