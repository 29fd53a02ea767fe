import type { DelegationStore, NewDelegation, NewTask } from '../store.ts'
import type { GroupCommit, Tx } from './commit.ts'
import type { Db } from './database.ts'
import { type RecordDecision, refusedByRail } from './decisions.ts'
import { and, eq, gt, isNotNull, isNull, or, sql } from './drizzle.ts'
import { type Lineage, subjectsAbove } from './lineage.ts'
import { delegationOf, type TaskRow } from './rows.ts'
import { delegations, tasks } from './schema.ts'
import type { Standing } from './standing.ts'
import { insertStatement, param, prepared } from './statement.ts'
import { treeOf } from './tree.ts'

interface Rooms {
  readonly db: Db
  readonly commit: GroupCommit
  readonly lineage: Lineage
  readonly standing: Standing
  readonly record: RecordDecision
  /** When this database last took its successor's place: what is older may have been used since. */
  readonly restoredAt: number | undefined
}

type DelegationRow = typeof delegations.$inferSelect

/** A delegation that can be used now, and the open task that delegated. */
export interface Usable {
  readonly row: DelegationRow
  readonly planner: TaskRow
}

/** The two halves of a delegation's only use, for the transaction that opens its task. */
export interface DelegationUse {
  /** Undefined, with why for the operator, unless it may open this task now. */
  usable(id: string, task: NewTask): Usable | { readonly refused: string }
  /** Whether as many tasks as may be are in the tree of `planner` already. */
  treeIsFull(planner: TaskRow, limit: number): boolean
  use(tx: Tx, usable: Usable, task: NewTask): void
}

export function delegationStore(rooms: Rooms): DelegationStore & DelegationUse {
  const { db, commit, lineage, standing, record, restoredAt } = rooms
  const insert = insertStatement(db, delegations)
  // Index: delegations_token.
  const byToken = prepared(
    db,
    db
      .select()
      .from(delegations)
      .where(eq(delegations.tokenHash, param('hash'))),
  )
  const byId = prepared(
    db,
    db
      .select()
      .from(delegations)
      .where(eq(delegations.id, param('id'))),
  )
  const taskById = prepared(
    db,
    db
      .select()
      .from(tasks)
      .where(eq(tasks.id, param('id'))),
  )
  // Index: delegations_task. Unused ones that expired count no more.
  const countOf = prepared(
    db,
    db
      .select({ n: sql<number>`count(*)` })
      .from(delegations)
      .where(
        and(
          eq(delegations.task, param('task')),
          or(isNotNull(delegations.usedAt), gt(delegations.expiresAt, param('now'))),
        ),
      ),
  )
  const toUsed = prepared(
    db,
    db
      .update(delegations)
      .set({ usedAt: param('now'), child: param('child') })
      .where(and(eq(delegations.id, param('id')), isNull(delegations.usedAt))),
  )

  /** Why nothing more comes of a task: it ended, or a kill that has not reached it yet ends it. */
  const isOver = (task: TaskRow, now: number): boolean =>
    task.state !== 'open' ||
    task.deadline <= now ||
    standing.isDoomed(subjectOf(task, lineage), task.createdAt)

  return {
    create: (delegation, { delegationsPerTask, decision }) =>
      commit.run((tx) => {
        const now = delegation.createdAt
        const planner = taskById.get({ id: delegation.task })
        if (!planner || isOver(planner, now)) return { ok: false, why: 'task-ended' }
        const refuse = (rail: string, reason: string) =>
          record(tx, refusedByRail(decision, { rail, reason }), null)
        const block = standing.blockAgainst(subjectOf(planner, lineage), now)
        if (block) {
          refuse('block', `blocked by ${block}`)
          return { ok: false, why: 'blocked', block }
        }
        if ((countOf.get({ task: delegation.task, now })?.n ?? 0) >= delegationsPerTask) {
          refuse('delegations', 'the task has delegated as often as it may')
          return { ok: false, why: 'limit' }
        }
        const row = rowOf(delegation, decision.id)
        insert(row)
        record(tx, decision, null)
        tx.event({
          type: 'delegation.created',
          actor: `agent:${planner.agent}`,
          tenant: planner.tenant,
          task: planner.id,
          data: {
            delegation: row.id,
            to: row.agent,
            expires_at: new Date(row.expiresAt).toISOString(),
            deadline: new Date(row.deadline).toISOString(),
            decision: decision.id,
          },
        })
        return { ok: true, delegation: delegationOf(row) }
      }),
    async byToken(hash) {
      const row = byToken.get({ hash })
      return row && delegationOf(row)
    },
    usable(id, task) {
      const row = byId.get({ id })
      if (row?.agent !== task.agent || row.tenant !== task.tenant) {
        return { refused: 'no such delegation' }
      }
      if (row.usedAt !== null) return { refused: `${row.id} was used before` }
      if (row.expiresAt <= task.createdAt) return { refused: `${row.id} has expired` }
      if (restoredAt !== undefined && row.createdAt <= restoredAt) {
        return { refused: `${row.id} was made before an older database was restored` }
      }
      const planner = taskById.get({ id: row.task })
      if (!planner || isOver(planner, task.createdAt)) {
        return { refused: `the task of ${row.id} has ended` }
      }
      if (task.deadline > row.deadline) return { refused: `longer than ${row.id} allows` }
      return { row, planner }
    },
    treeIsFull({ id, parent }, limit) {
      const root = parent === null ? id : (lineage(id).at(-1)?.id ?? id)
      // Index: tasks_parent. The root itself is one more.
      const some = db
        .select({ one: sql`1` })
        .from(tasks)
        .where(sql`${tasks.id} in ${treeOf(root)}`)
        .limit(limit + 1)
      const counted = db.select({ n: sql<number>`count(*)` }).from(some.as('some')).get()
      return (counted?.n ?? 0) > limit
    },
    use(tx, { row, planner }, task) {
      if (toUsed.run({ id: row.id, now: task.createdAt, child: task.id }).changes === 0) {
        throw new Error(`${row.id} was used within this transaction`)
      }
      tx.event({
        type: 'delegation.used',
        actor: `agent:${task.agent}`,
        tenant: planner.tenant,
        task: planner.id,
        data: { delegation: row.id, by: task.agent, child: task.id },
      })
    },
  }
}

function subjectOf({ id, agent, tenant, workload, issuer, parent }: TaskRow, lineage: Lineage) {
  const above = parent === null ? {} : subjectsAbove(lineage(id))
  return { task: id, agent, tenant, workload, issuer, ...above }
}

function rowOf(delegation: NewDelegation, decision: string): DelegationRow {
  const { intent, ...rest } = delegation
  return { ...rest, intentJson: JSON.stringify(intent), usedAt: null, child: null, decision }
}
