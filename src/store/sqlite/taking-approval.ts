import type { ApprovalRequest, NewDecision, Reservation, ReserveResult } from '../store.ts'
import type { ApprovalMoves, ApprovalRow } from './approval-moves.ts'
import type { Tx } from './commit.ts'
import type { Db } from './database.ts'
import { type RecordDecision, refusedByRail } from './decisions.ts'
import { and, desc, eq, gt, sql } from './drizzle.ts'
import { approvalOf, type TaskRow } from './rows.ts'
import { approvals } from './schema.ts'
import { insertStatement, param, prepared } from './statement.ts'

type Refused = Extract<ReserveResult, { ok: false }>

/** A granted approval that the caller's transaction consumes, or why there is none. */
export type Taken = { readonly granted: ApprovalRow } | Refused

/**
 * Within the reserving transaction: the approval that was granted for exactly this request, or the
 * one that is pending; or else one that is asked for now, unless its agent has asked for too many,
 * or was refused this entitlement a moment ago.
 */
export function takingApproval(rooms: {
  readonly db: Db
  readonly moves: ApprovalMoves
  readonly record: RecordDecision
  readonly epoch: number
}): (tx: Tx, order: Reservation, request: ApprovalRequest, task: TaskRow) => Taken {
  const { db, moves, record, epoch } = rooms
  const insert = insertStatement(db, approvals)
  // Index: approvals_denied.
  const lastDenial = prepared(
    db,
    db
      .select({ at: approvals.decidedAt })
      .from(approvals)
      .where(
        and(
          sql`${approvals.state} = 'denied'`,
          eq(approvals.agent, param('agent')),
          eq(approvals.entitlement, param('entitlement')),
        ),
      )
      .orderBy(desc(approvals.decidedAt))
      .limit(1),
  )
  // Index: approvals_open, whose condition the first one is written out for.
  const pendingOf = prepared(
    db,
    db
      .select({ n: sql<number>`count(*)` })
      .from(approvals)
      .where(
        and(
          sql`${approvals.state} in ('pending', 'granted')`,
          sql`${approvals.state} = 'pending'`,
          eq(approvals.agent, param('agent')),
          gt(approvals.expiresAt, param('now')),
        ),
      ),
  )

  // Index: approvals_created, of which the last hour is read.
  const askedBefore = prepared(
    db,
    db
      .select({ at: approvals.createdAt })
      .from(approvals)
      .where(and(eq(approvals.agent, param('agent')), gt(approvals.createdAt, param('since'))))
      .orderBy(desc(approvals.createdAt))
      .limit(1)
      .offset(sql.placeholder('others')),
  )

  return (tx, order, request, task) => {
    const { now, decision } = order
    const known = standingFor(tx, order, request, task)
    if (known?.state === 'granted') return { granted: known }
    if (known) return { ok: false, why: 'approval', approval: approvalOf(known) }
    const { agent } = task
    const denied = lastDenial.get({ agent, entitlement: order.entitlement })?.at ?? 0
    const retryAt = denied + request.coolDownSeconds * 1000
    if (retryAt > now) {
      refuse(tx, order, { rail: 'approval-cool-down', reason: `one was denied${from(retryAt)}` })
      return { ok: false, why: 'approval-cool-down', retryAt }
    }
    if ((pendingOf.get({ agent, now })?.n ?? 0) >= request.pendingPerAgent) {
      const reason = 'as many are pending as its agent may have'
      refuse(tx, order, { rail: 'approval-limit', reason })
      return { ok: false, why: 'approval-limit' }
    }
    const others = request.perHourPerAgent - 1
    const first = askedBefore.get({ agent, since: now - HOUR_MS, others })
    if (first) {
      const next = first.at + HOUR_MS
      const reason = `its agent asked for as many as it may in an hour${from(next)}`
      refuse(tx, order, { rail: 'approval-pace', reason })
      return { ok: false, why: 'approval-pace', retryAt: next }
    }
    const row = rowOf(order, request, task)
    insert(row)
    record(tx, decision, null)
    tx.event({
      type: 'approval.requested',
      actor: `agent:${agent}`,
      tenant: task.tenant,
      task: task.id,
      data: requestedData(row, request, decision),
    })
    tx.nudge()
    return { ok: false, why: 'approval', approval: approvalOf(row) }
  }

  /** Kept for whoever asks why none was asked for (P15). */
  function refuse(tx: Tx, order: Reservation, by: { rail: string; reason: string }): void {
    record(tx, refusedByRail(order.decision, by), null)
  }

  /** The one of this grant that still counts; those that do not any more expire on the way. */
  function standingFor(tx: Tx, order: Reservation, request: ApprovalRequest, task: TaskRow) {
    const { now } = order
    const { policyHash } = order.decision
    let standing: ApprovalRow | undefined
    for (const row of moves.openOf(task)) {
      if (row.grantHash !== request.grant) continue
      const cause = moves.worthless(row, { now, policyHash })
      if (cause) moves.expire(tx, row, { cause, actor: 'mayfly', now })
      else standing = row
    }
    return standing
  }

  function rowOf(order: Reservation, request: ApprovalRequest, task: TaskRow): ApprovalRow {
    return {
      id: request.id,
      task: task.id,
      agent: task.agent,
      tenant: task.tenant,
      workload: task.workload,
      issuer: task.issuer,
      chainJson: task.chainJson,
      entitlement: order.entitlement,
      provider: order.provider,
      target: order.target,
      grantHash: request.grant,
      shownJson: JSON.stringify(request.shown),
      ttlSeconds: request.ttlSeconds,
      policyHash: order.decision.policyHash,
      decision: order.decision.id,
      epoch,
      state: 'pending',
      cause: null,
      createdAt: order.now,
      expiresAt: request.expiresAt,
      decidedAt: null,
      decidedBy: null,
      reason: null,
      lease: null,
      noticeDueAt: request.notice ? order.now : null,
      noticeAttempts: 0,
    }
  }
}

const HOUR_MS = 3_600_000

/** What the policies want an approval for, with the one it got. */
export function approvedBy({ id, decidedBy }: ApprovalRow, decision: NewDecision): NewDecision {
  return { ...decision, reasons: [`${id} granted by ${decidedBy}`] }
}

function from(retryAt: number): string {
  return `; the next may be asked for from ${new Date(retryAt).toISOString()}`
}

function requestedData(row: ApprovalRow, { shown }: ApprovalRequest, { id }: NewDecision) {
  return {
    approval: row.id,
    entitlement: row.entitlement,
    grant: row.grantHash,
    impact: shown.impact,
    risk: shown.risk.level,
    ttl_seconds: row.ttlSeconds,
    expires_at: new Date(row.expiresAt).toISOString(),
    decision: id,
  }
}
