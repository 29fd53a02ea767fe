import type { Reservation } from '../store.ts'
import type { ApprovalRow } from './approval-moves.ts'
import type { LeaseRow, TaskRow } from './rows.ts'

export function reservedRow(
  order: Reservation,
  task: TaskRow,
  more: {
    slot: string | null
    places: number | null
    killSeq: number
    granted: ApprovalRow | undefined
  },
): LeaseRow {
  const { slot, places, killSeq, granted } = more
  return {
    id: order.id,
    task: task.id,
    agent: task.agent,
    tenant: task.tenant,
    workload: task.workload,
    issuer: task.issuer,
    chainJson: task.chainJson,
    entitlement: order.entitlement,
    provider: order.provider,
    target: order.target,
    targetJson: JSON.stringify(order.targetSpec),
    groupKey: order.group,
    groupCapacity: places,
    intentJson: JSON.stringify(order.intent),
    state: 'reserved',
    containment: null,
    proofJson: null,
    cause: null,
    generation: 1,
    createdAt: order.now,
    ttlSeconds: order.ttlSeconds,
    nativeFloorSeconds: order.nativeFloorSeconds,
    expiresAt: order.expiresAt,
    nativeExpiresAt: null,
    latestPossibleExpiry: order.latestPossibleExpiry,
    exposedUntil: order.latestPossibleExpiry,
    endingSince: null,
    endedAt: null,
    upstreamName: order.upstreamName,
    scopeJson: JSON.stringify(order.scope),
    residualsJson: JSON.stringify(order.residuals),
    impactJson: order.touches.impact.length === 0 ? null : JSON.stringify(order.touches.impact),
    revocability: order.revocability,
    decision: order.decision.id,
    approval: granted?.id ?? null,
    policyHash: order.decision.policyHash,
    slot,
    handleJson: null,
    renewing: 0,
    killSeq,
    idempotencyKey: order.idempotency?.key ?? null,
    requestHash: order.idempotency?.requestHash ?? null,
    laneRank: null,
    dueAt: null,
    attempts: 0,
    lastError: null,
  }
}
