import type { TaskId } from '../../ids.ts'
import type { Chain } from '../../model/chain.ts'
import { MISSED_BEATS } from '../../model/task.ts'
import type { NewTask, OpenTaskResult, TaskStore } from '../store.ts'
import type { Tx } from './commit.ts'
import type { Db } from './database.ts'
import { type RecordDecision, refusedByRail } from './decisions.ts'
import type { DelegationUse, Usable } from './delegations.ts'
import { and, eq, sql } from './drizzle.ts'
import { type Lineage, subjectsAbove } from './lineage.ts'
import { spender } from './once.ts'
import { pinsOf } from './pins.ts'
import { type TaskRow, taskOf } from './rows.ts'
import { tasks } from './schema.ts'
import type { ShownTasks } from './shown-tasks.ts'
import type { Standing } from './standing.ts'
import { insertStatement, param, prepared } from './statement.ts'
import { isOpen } from './states.ts'

export interface OpeningRooms {
  readonly db: Db
  readonly lineage: Lineage
  readonly standing: Standing
  readonly record: RecordDecision
  readonly delegations: DelegationUse
  readonly shown: ShownTasks
  /** When this database last took its successor's place. */
  readonly restoredAt: number | undefined
}

/**
 * The transaction that opens a task (P8, P10): everything that could forbid it is read in it, and
 * what is good for one use is used.
 */
export function opening(
  rooms: OpeningRooms,
): (tx: Tx, task: NewTask, against: Parameters<TaskStore['open']>[1]) => OpenTaskResult {
  const { db, lineage, standing, record, delegations, shown, restoredAt } = rooms
  const insert = insertStatement(db, tasks)
  const spend = spender(db, restoredAt)
  const pins = pinsOf(db)
  // Index: tasks_agent_open.
  const openOfAgent = prepared(
    db,
    db
      .select({ n: sql<number>`count(*)` })
      .from(tasks)
      .where(and(eq(tasks.agent, param('agent')), isOpen)),
  )

  return (tx, task, { openTasksPerAgent, evidence, proof, instance, delegation, decision }) => {
    const now = task.createdAt
    const from = delegation && delegations.usable(delegation.id, task)
    if (from && 'refused' in from) {
      record(tx, refusedByRail(decision, { rail: 'delegation', reason: from.refused }), null)
      return { ok: false, why: 'delegation' }
    }
    const block = standing.blockAgainst(subjectOf(task, from?.planner, lineage), now)
    if (block) {
      record(tx, refusedByRail(decision, { rail: 'block', reason: `blocked by ${block}` }), null)
      return { ok: false, why: 'blocked', block }
    }
    const open = openOfAgent.get({ agent: task.agent })?.n ?? 0
    if (open >= openTasksPerAgent) return { ok: false, why: 'limit' }
    if (from && delegations.treeIsFull(from.planner, delegation.tasksPerTree)) {
      const reason = 'the tree has as many tasks as it may have'
      record(tx, refusedByRail(decision, { rail: 'tree', reason }), null)
      return { ok: false, why: 'tree-limit' }
    }
    if (instance && restoredAt !== undefined && instance.issuedAt < restoredAt) {
      return { ok: false, why: 'before-restore' }
    }
    const mismatch = instance && pins.mismatch(instance, task.key, now)
    if (mismatch) return { ok: false, why: mismatch }
    if (evidence && !spend(evidence, now)) return { ok: false, why: 'evidence-used' }
    if (proof && !spend(proof, now)) return { ok: false, why: 'proof-used' }
    if (from) delegations.use(tx, from, task)
    if (instance && task.key !== null) pins.keep(instance, task.key, now)
    const row = rowOf(task, from)
    insert(row)
    record(tx, decision, null)
    tx.event({
      type: 'task.opened',
      actor: `agent:${task.agent}`,
      tenant: task.tenant,
      task: task.id,
      data: {
        workload: task.workload,
        proof: task.proof,
        ...(task.key === null ? {} : { key: task.key }),
        purpose: task.purpose,
        deadline: new Date(task.deadline).toISOString(),
        decision: decision.id,
        ...(row.parent === null ? {} : { parent: row.parent, depth: row.depth }),
      },
    })
    shown.keep(row)
    return { ok: true, task: shown.task(row.id) ?? taskOf(row) }
  }
}

function rowOf(task: NewTask, from: Usable | undefined): TaskRow {
  const chain = from && chainBelow(from.planner)
  return {
    id: task.id,
    agent: task.agent,
    tenant: task.tenant,
    workload: task.workload,
    issuer: task.issuer,
    proof: task.proof,
    claimsJson: JSON.stringify(task.claims),
    tokenHash: task.tokenHash,
    purpose: task.purpose,
    intentJson: JSON.stringify(task.intent),
    labelsJson: JSON.stringify(task.labels),
    state: 'open',
    outcome: null,
    cause: null,
    parent: from?.planner.id ?? null,
    depth: chain?.length ?? 0,
    chainJson: chain === undefined ? null : JSON.stringify(chain),
    createdAt: task.createdAt,
    deadline: task.deadline,
    heartbeatSeconds: task.heartbeatSeconds,
    heartbeatDueAt: silenceEnds(task, task.createdAt),
    lastHeartbeatAt: null,
    endedAt: null,
    touchedJson: JSON.stringify({ zones: [], datasets: [], impact: [] }),
    key: task.key,
  }
}

/** The chain of what a task delegates: itself, then its own. */
function chainBelow({ id, agent, chainJson }: TaskRow): Chain {
  // Written by this store from the same types.
  const above = chainJson === null ? [] : (JSON.parse(chainJson) as Chain)
  return [{ agent, task: id as TaskId }, ...above]
}

/** Two intervals after the last sign of life; null for a task without a heartbeat. */
export function silenceEnds(task: { heartbeatSeconds: number | null }, now: number): number | null {
  return task.heartbeatSeconds === null ? null : now + MISSED_BEATS * task.heartbeatSeconds * 1000
}

function subjectOf(task: NewTask, planner: TaskRow | undefined, lineage: Lineage) {
  const { id, agent, tenant, workload, issuer } = task
  const above = planner && subjectsAbove([planner, ...lineage(planner.id)])
  return { task: id, agent, tenant, workload, issuer, ...above }
}
