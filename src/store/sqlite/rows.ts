import type {
  ApprovalId,
  BlockId,
  DecisionId,
  DelegationId,
  KillId,
  LeaseId,
  TaskId,
} from '../../ids.ts'
import type { Approval, ApprovalCause, ApprovalShown, ApprovalState } from '../../model/approval.ts'
import type { Chain } from '../../model/chain.ts'
import type { Delegation } from '../../model/delegation.ts'
import type { IntentItem } from '../../model/intent.ts'
import type { KeyName } from '../../model/key.ts'
import type {
  Containment,
  ContainmentProof,
  EndCause,
  Lane,
  Lease,
  LeaseState,
  Revocability,
} from '../../model/lease.ts'
import { LANES } from '../../model/lease.ts'
import type { Proof, Task, TaskCause, TaskOutcome, TaskState } from '../../model/task.ts'
import type { Block, DecisionRecord, Kill, KillCounts, KillOrder } from '../store.ts'
import { reachOf } from './reach.ts'
import type * as schema from './schema.ts'
import { LATEST, storedInstant, storedJson } from './stored-json.ts'

export type LeaseRow = typeof schema.leases.$inferSelect
export type TaskRow = typeof schema.tasks.$inferSelect

// The texts in these columns were written by this store from the same types: the assertions below
// restore what SQLite's column types cannot say. Unreadable JSON throws, and the caller refuses.

export function leaseOf(row: LeaseRow): Lease {
  return {
    id: row.id as LeaseId,
    task: row.task as TaskId,
    agent: row.agent,
    chain: chainOf(row),
    tenant: row.tenant,
    workload: row.workload,
    issuer: row.issuer,
    entitlement: row.entitlement,
    provider: row.provider,
    target: row.target,
    group: row.groupKey,
    state: row.state as LeaseState,
    containment: row.containment as Containment | null,
    proof: nullableJson<ContainmentProof>(row.proofJson),
    cause: row.cause as EndCause | null,
    generation: row.generation,
    createdAt: row.createdAt,
    ttlSeconds: row.ttlSeconds,
    expiresAt: row.expiresAt,
    nativeExpiresAt: row.nativeExpiresAt,
    latestPossibleExpiry: row.latestPossibleExpiry,
    exposedUntil: row.exposedUntil,
    endingSince: row.endingSince,
    endedAt: row.endedAt,
    upstreamName: row.upstreamName,
    scope: JSON.parse(row.scopeJson) as Record<string, unknown>,
    residuals: JSON.parse(row.residualsJson) as string[],
    revocability: row.revocability as Revocability,
    decision: row.decision as DecisionId,
    approval: row.approval as ApprovalId | null,
    policyHash: row.policyHash,
    slot: row.slot,
    handle: nullableJson<Record<string, unknown>>(row.handleJson),
    lane: laneOf(row.laneRank),
    dueAt: row.dueAt,
    attempts: row.attempts,
    lastError: row.lastError,
  }
}

export function taskOf(row: TaskRow): Task {
  return {
    id: row.id as TaskId,
    agent: row.agent,
    tenant: row.tenant,
    workload: row.workload,
    issuer: row.issuer,
    proof: row.proof as Proof,
    key: row.key as KeyName | null,
    claims: JSON.parse(row.claimsJson) as Record<string, string>,
    purpose: row.purpose,
    intent: JSON.parse(row.intentJson) as IntentItem[],
    labels: JSON.parse(row.labelsJson) as Record<string, string>,
    state: row.state as TaskState,
    outcome: row.outcome as TaskOutcome | null,
    cause: row.cause as TaskCause | null,
    parent: row.parent as TaskId | null,
    depth: row.depth,
    chain: chainOf(row),
    createdAt: row.createdAt,
    deadline: row.deadline,
    heartbeatSeconds: row.heartbeatSeconds,
    heartbeatDueAt: row.heartbeatDueAt,
    lastHeartbeatAt: row.lastHeartbeatAt,
    endedAt: row.endedAt,
    touched: JSON.parse(row.touchedJson) as Task['touched'],
  }
}

export function delegationOf(row: typeof schema.delegations.$inferSelect): Delegation {
  return {
    id: row.id as DelegationId,
    task: row.task as TaskId,
    agent: row.agent,
    tenant: row.tenant,
    purpose: row.purpose,
    intent: JSON.parse(row.intentJson) as IntentItem[],
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    deadline: row.deadline,
    usedAt: row.usedAt,
    child: row.child as TaskId | null,
    decision: row.decision as DecisionId,
  }
}

export function approvalOf(row: typeof schema.approvals.$inferSelect): Approval {
  return {
    id: row.id as ApprovalId,
    task: row.task as TaskId,
    agent: row.agent,
    tenant: row.tenant,
    workload: row.workload,
    issuer: row.issuer,
    chain: chainOf(row),
    entitlement: row.entitlement,
    provider: row.provider,
    target: row.target,
    grant: row.grantHash,
    shown: JSON.parse(row.shownJson) as ApprovalShown,
    ttlSeconds: row.ttlSeconds,
    policyHash: row.policyHash,
    decision: row.decision as DecisionId,
    state: row.state as ApprovalState,
    cause: row.cause as ApprovalCause | null,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    decidedAt: row.decidedAt,
    decidedBy: row.decidedBy,
    reason: row.reason,
    lease: row.lease as LeaseId | null,
  }
}

export function decisionOf(row: typeof schema.decisions.$inferSelect): DecisionRecord {
  return {
    id: row.id as DecisionId,
    at: row.at,
    action: row.action,
    outcome: row.outcome as DecisionRecord['outcome'],
    agent: row.agent,
    tenant: row.tenant,
    workload: row.workload,
    task: row.task as TaskId | null,
    entitlement: row.entitlement,
    chain: chainOf(row),
    lease: row.lease as LeaseId | null,
    policies: JSON.parse(row.policiesJson) as string[],
    rails: JSON.parse(row.railsJson) as string[],
    reasons: JSON.parse(row.reasonsJson) as string[],
    policyHash: row.policyHash,
    request: JSON.parse(row.requestJson) as Record<string, unknown>,
  }
}

/** Never throws: whoever ordered one that cannot be read has to see that it is to be ordered again. */
export function killOf(row: typeof schema.kills.$inferSelect): Kill {
  const { selector, tenants, unreadable } = reachOf(row)
  const counts = storedJson(row.countsJson)
  const createdAt = storedInstant(row.createdAt)
  const plain = [row.reason, row.orderedBy].every((text) => typeof text === 'string')
  const known = CAUSES.has(row.cause) && [row.open, row.endsTasks].every((bit) => BITS.has(bit))
  return {
    id: row.id as KillId,
    selector,
    tenants,
    reason: textOf(row.reason),
    orderedBy: textOf(row.orderedBy),
    createdAt: createdAt ?? LATEST,
    block: row.block as BlockId | null,
    counts: isCounts(counts) ? counts : { leases: 0, tasks: 0, agents: 0 },
    done: row.open !== 1,
    unreadable: unreadable || !isCounts(counts) || createdAt === undefined || !plain || !known,
  }
}

const CAUSES: ReadonlySet<unknown> = new Set<KillOrder['cause']>(['killed', 'signal'])
const BITS: ReadonlySet<unknown> = new Set([0, 1])

function isCounts(value: unknown): value is KillCounts {
  if (typeof value !== 'object' || value === null) return false
  const { leases, tasks, agents } = value as Record<string, unknown> // of whatever kind
  return [leases, tasks, agents].every(Number.isSafeInteger)
}

/** Never throws: one that cannot be read still blocks, so it must be seen and can be lifted. */
export function blockOf(row: typeof schema.blocks.$inferSelect): Block {
  return {
    id: row.id as BlockId,
    ...reachOf(row),
    reason: textOf(row.reason),
    createdBy: textOf(row.createdBy),
    createdAt: storedInstant(row.createdAt) ?? LATEST,
    expiresAt: storedInstant(row.expiresAt) ?? null,
    liftedAt: row.liftedAt,
    liftedBy: row.liftedBy,
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Most are nobody's executor. */
function chainOf({ chainJson }: { readonly chainJson: string | null }): Chain {
  return chainJson === null ? [] : (JSON.parse(chainJson) as Chain)
}

export function laneOf(rank: number | null): Lane | null {
  return rank === null ? null : (LANES[rank] ?? null)
}

export function laneRank(lane: Lane): number {
  return LANES.indexOf(lane)
}

export function jsonOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value)
}

function nullableJson<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T)
}
