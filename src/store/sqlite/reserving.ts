import type { LeaseId } from '../../ids.ts'
import type { Reservation, ReserveResult } from '../store.ts'
import type { ActiveCounts } from './active-counts.ts'
import type { Tx } from './commit.ts'
import type { Db } from './database.ts'
import { decided, type RecordDecision, refusedByRail } from './decisions.ts'
import { and, eq, isNotNull, sql } from './drizzle.ts'
import { fairShare } from './fair-share.ts'
import { impactPace, paceReason } from './impact-pace.ts'
import type { LeaseMoves } from './lease-moves.ts'
import { type Ancestor, type Lineage, subjectsAbove } from './lineage.ts'
import type { LeaseRooms } from './minted.ts'
import { reservedRow } from './reserved-row.ts'
import { type LeaseRow, leaseOf, type TaskRow } from './rows.ts'
import { leases, tasks } from './schema.ts'
import type { ShownTasks } from './shown-tasks.ts'
import type { Standing } from './standing.ts'
import { insertStatement, param, prepared } from './statement.ts'
import { approvedBy } from './taking-approval.ts'
import { touchingOf } from './touching.ts'
import type { Upstreams } from './upstreams.ts'

const LIMIT_REASONS = {
  'task-limit': 'the task has as many active leases as it may have',
  'agent-limit': 'the agent has as many active leases as it may have',
  capacity: 'too many leases of this target are being refused early',
  'tenant-share': 'the tenant holds its share of what this target can refuse early',
  'agent-share': 'the agent holds its share of what this target can refuse early',
} as const
const NO_SLOT = 'every account of the pool is in use or quarantined'

/** Rows of mints under way, as they were reserved: what activates one need not read it again. */
export type ReservedRows = Map<string, LeaseRow>

/** The reserving transaction (P1, P8, P9): everything that could forbid a lease is read in it. */
export function reserving(
  rooms: {
    readonly db: Db
    readonly moves: LeaseMoves
    readonly counts: ActiveCounts
    readonly lineage: Lineage
    readonly shown: ShownTasks
    readonly standing: Standing
    readonly risk: LeaseRooms['risk']
    readonly upstreams: Upstreams
    readonly record: RecordDecision
    readonly approvals: LeaseRooms['approvals']
  },
  reserved: ReservedRows,
): (tx: Tx, order: Reservation) => ReserveResult {
  const { db, moves, counts, lineage, shown, standing, risk, upstreams, record, approvals } = rooms
  const insert = insertStatement(db, leases)
  const taskById = prepared(
    db,
    db
      .select()
      .from(tasks)
      .where(eq(tasks.id, param('id'))),
  )
  // Index: leases_idempotency, whose rows stand in the order they were written.
  const byKey = prepared(
    db,
    db
      .select()
      .from(leases)
      .where(and(eq(leases.task, param('task')), eq(leases.idempotencyKey, param('key'))))
      .orderBy(sql`${leases}.rowid desc`)
      .limit(1),
  )
  const shareReached = fairShare(db)
  const pace = impactPace(db)
  // Of every provider, since a pool may move to another one. Index: leases_slot.
  const takenSlots = prepared(
    db,
    db
      .select({ slot: leases.slot, until: leases.latestPossibleExpiry })
      .from(leases)
      .where(isNotNull(leases.slot)),
  )
  const touching = touchingOf(db, shown)

  return (tx, order) => {
    const task = shown.row(order.task) ?? taskById.get({ id: order.task })
    if (task?.state !== 'open' || task.deadline <= order.now) {
      return { ok: false, why: 'task-ended' }
    }
    const above = task.parent === null ? [] : lineage(task.id)
    const subject = subjectOf(task, order, above)
    const { agent, workload, tenant, issuer } = subject
    const whole = { task: task.id, agent, workload, tenant, issuer, ...subjectsAbove(above) }
    if (standing.isDoomed(whole, task.createdAt)) return { ok: false, why: 'task-ended' }
    const block = standing.blockAgainst(subject, order.now)
    if (block) {
      recordRefusal(tx, order, { rail: 'block', reason: `blocked by ${block}` })
      return { ok: false, why: 'blocked', block }
    }
    if (!upstreams.isReached(order.provider, order.upstream)) {
      recordRefusal(tx, order, {
        rail: 'moved',
        reason: 'its provider reaches another upstream now',
      })
      return { ok: false, why: 'moved' }
    }
    const before = order.idempotency && byKey.get({ task: task.id, key: order.idempotency.key })
    if (before && before.requestHash !== order.idempotency?.requestHash) {
      return { ok: false, why: 'other-body' }
    }
    if (before?.state === 'reserved') return { ok: false, why: 'in-flight' }
    const replaced = before?.state === 'active' ? before : undefined
    const share = shareReached(order, task)
    const beyond = share !== undefined && order.acceptsExpiry
    const limit = limitReached(order, task, replaced) ?? (beyond ? undefined : share)
    if (limit) {
      recordRefusal(tx, order, { rail: limit, reason: LIMIT_REASONS[limit] })
      return { ok: false, why: limit }
    }
    const planners = [...new Set(above.map((one) => one.agent))].filter((one) => one !== agent)
    const retryAt = pace.reached(order, [agent, ...planners])
    if (retryAt !== undefined) {
      const reason = paceReason(order, { planners, retryAt })
      recordRefusal(tx, order, { rail: 'high-impact-pace', reason })
      return { ok: false, why: 'high-impact-pace', retryAt }
    }
    if (order.riskMark !== undefined && order.riskMark !== risk.mark(order.now))
      return { ok: false, why: 'touched-since' }
    if (order.decidedOn.some((one) => touching.since(one, one.id === task.id ? task : undefined)))
      return { ok: false, why: 'touched-since' }
    const slot = freeSlot(order)
    if (typeof slot === 'object' && slot !== null) {
      recordRefusal(tx, order, { rail: 'no-slot', reason: NO_SLOT })
      return { ok: false, why: 'no-slot', retryAt: slot.freeAt }
    }

    const taken = order.approval && approvals.take(tx, order, order.approval, task)
    if (taken && 'why' in taken) return taken
    const granted = taken?.granted

    if (replaced) {
      const actor = `agent:${task.agent}` as const
      moves.end(tx, replaced, { cause: 'replaced', lane: 'end', actor, now: order.now })
    }
    const places = beyond ? 0 : (order.groupCapacity ?? null)
    const row = reservedRow(order, task, { slot, places, killSeq: standing.latestKill(), granted })
    insert(row)
    reserved.set(order.id, row)
    counts.moved(row, 1)
    pace.countFor(order, planners)
    touching.add(task, order.touches)
    // What an executor touched flows back to whoever it works for.
    for (const { id } of above) {
      const planner = taskById.get({ id })
      if (planner) touching.add(planner, order.touches)
    }
    const decision = granted ? approvedBy(granted, order.decision) : order.decision
    record(tx, decision, order.id)
    if (granted) approvals.consume(tx, granted, order.id)
    tx.event({
      type: 'lease.reserved',
      actor: `agent:${task.agent}`,
      tenant: task.tenant,
      task: task.id,
      lease: order.id,
      data: {
        ...decided(decision),
        upstream_name: order.upstreamName,
        entitlement: order.entitlement,
        provider: order.provider,
        target: order.target,
        latest_possible_expiry: new Date(order.latestPossibleExpiry).toISOString(),
        ...(slot === null ? {} : { slot }),
        ...(replaced ? { replaces: replaced.id } : {}),
      },
    })
    return { ok: true, lease: leaseOf(row), replaced: replaced?.id as LeaseId | undefined }
  }

  /** The policies permitted it; what stood against it is kept for whoever asks why (P15). */
  function recordRefusal(tx: Tx, order: Reservation, by: { rail: string; reason: string }): void {
    record(tx, refusedByRail(order.decision, by), null)
  }

  /** What `replaced` holds does not count against the caps: it ends in this transaction. */
  function limitReached(
    order: Reservation,
    task: TaskRow,
    replaced: LeaseRow | undefined,
  ): keyof typeof LIMIT_REASONS | undefined {
    const { limits } = order
    const ends = replaced ? 1 : 0
    if (counts.ofTask(task.id) >= limits.activeLeasesPerTask + ends) return 'task-limit'
    if (counts.ofAgent(task.agent) >= limits.activeLeasesPerAgent + ends) return 'agent-limit'
    return undefined
  }

  /** Null: it takes none. One that is taken is free when what was minted on it must have died. */
  function freeSlot(order: Reservation): string | null | { readonly freeAt: number } {
    if (order.slots === undefined) return null
    const rows = takenSlots.all()
    const taken = new Map(rows.map(({ slot, until }) => [slot, until]))
    const free = order.slots.find((slot) => !taken.has(slot))
    return free ?? { freeAt: Math.min(...order.slots.map((slot) => taken.get(slot) ?? 0)) }
  }
}

function subjectOf(task: TaskRow, order: Reservation, above: readonly Ancestor[]) {
  const request = {
    entitlement: order.entitlement,
    provider: order.provider,
    target: order.target,
    policy_hash: order.decision.policyHash,
  }
  return {
    lease: order.id,
    task: task.id,
    agent: task.agent,
    workload: task.workload,
    tenant: task.tenant,
    issuer: task.issuer,
    ...request,
    ...subjectsAbove(above, request),
  }
}
