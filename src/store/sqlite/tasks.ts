import type { TaskId } from '../../ids.ts'
import { MISSED_BEATS, type Task } from '../../model/task.ts'
import type { TaskStore } from '../store.ts'
import type { ActiveCounts } from './active-counts.ts'
import type { ApprovalMoves } from './approval-moves.ts'
import type { GroupCommit, Tx } from './commit.ts'
import { and, asc, eq, inArray, isNotNull, lte, sql } from './drizzle.ts'
import type { Ending, LeaseMoves } from './lease-moves.ts'
import { shown as shownRow } from './legible.ts'
import { spender } from './once.ts'
import { type OpeningRooms, opening, silenceEnds } from './opening.ts'
import { among, beforeId, pageOf } from './paging.ts'
import { taskOf } from './rows.ts'
import { tasks } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isOpen } from './states.ts'
import { treeOf } from './tree.ts'

interface Rooms extends OpeningRooms {
  readonly commit: GroupCommit
  readonly moves: LeaseMoves
  readonly counts: ActiveCounts
  readonly approvals: Pick<ApprovalMoves, 'expireOfTask'>
}

/**
 * Ends a task inside the caller's transaction, also one whose row nobody can read; shared with
 * kills. False: it was not open.
 */
export type EndTask = (
  tx: Tx,
  id: string,
  ending: Ending & { readonly outcome: Task['outcome']; readonly taskCause: Task['cause'] },
) => boolean

export function taskStore(rooms: Rooms): TaskStore & { readonly endWithin: EndTask } {
  const { db, commit, shown, moves, counts, approvals, restoredAt } = rooms
  const open = opening(rooms)
  const spend = spender(db, restoredAt)
  const byToken = prepared(
    db,
    db
      .select()
      .from(tasks)
      .where(and(eq(tasks.tokenHash, param('hash')), isOpen)),
  )
  const byId = prepared(
    db,
    db
      .select()
      .from(tasks)
      .where(eq(tasks.id, param('id'))),
  )
  // Index: tasks_parent.
  const openChildren = prepared(
    db,
    db
      .select({ id: tasks.id })
      .from(tasks)
      .where(and(eq(tasks.parent, param('parent')), isOpen)),
  )
  const children = prepared(
    db,
    db
      .select({ n: sql<number>`count(*)` })
      .from(tasks)
      .where(eq(tasks.parent, param('parent'))),
  )
  const beat = prepared(
    db,
    db
      .update(tasks)
      .set({ lastHeartbeatAt: param('now'), heartbeatDueAt: param('due') })
      .where(and(eq(tasks.id, param('id')), isOpen)),
  )
  const toEnded = prepared(
    db,
    db
      .update(tasks)
      .set({
        state: 'ended',
        outcome: param('outcome'),
        cause: param('cause'),
        endedAt: param('now'),
        heartbeatDueAt: null,
      })
      .where(and(eq(tasks.id, param('id')), isOpen)),
  )
  // Indexes: tasks_deadline, tasks_heartbeat.
  const pastDeadline = prepared(
    db,
    db
      .select()
      .from(tasks)
      .where(and(isOpen, lte(tasks.deadline, param('now'))))
      .orderBy(asc(tasks.deadline))
      .limit(sql.placeholder('limit')),
  )
  const silent = prepared(
    db,
    db
      .select()
      .from(tasks)
      .where(and(isOpen, isNotNull(tasks.heartbeatDueAt), lte(tasks.heartbeatDueAt, param('now'))))
      .orderBy(asc(tasks.heartbeatDueAt))
      .limit(sql.placeholder('limit')),
  )

  const endWithin: EndTask = (tx, id, ending) => {
    const { outcome, taskCause, now, actor } = ending
    const row = shown.row(id) ?? byId.get({ id })
    if (!row || toEnded.run({ id, outcome, cause: taskCause, now }).changes === 0) return false
    const ended = moves.endOfTask(tx, id, ending)
    approvals.expireOfTask(tx, row, { cause: 'task-ended', actor, now })
    tx.event({
      type: 'task.ended',
      actor,
      tenant: row.tenant,
      task: id,
      data: { cause: taskCause, ...(outcome === null ? {} : { outcome }), leases: ended },
    })
    tx.nudge()
    for (const child of openChildren.all({ parent: id })) {
      endWithin(tx, child.id, {
        ...ending,
        cause: 'parent-ended',
        taskCause: 'parent-ended',
        outcome: null,
      })
    }
    return true
  }

  return {
    endWithin,
    open: (task, against) =>
      commit.run((tx) => {
        const opened = open(tx, task, against)
        if (opened.ok) counts.opened(task.id)
        return opened
      }),
    spend: (once, now) => commit.run(() => spend(once, now)),
    async byToken(hash, id) {
      // Index: tasks_token, where it is still open.
      const row = id === undefined ? byToken.get({ hash }) : (shown.row(id) ?? byId.get({ id }))
      if (row?.tokenHash !== hash) return undefined
      if (shown.row(row.id) === undefined) shown.keep(row)
      return shown.task(row.id) ?? taskOf(row)
    },
    async byId(id) {
      const row = byId.get({ id })
      return row && taskOf(row)
    },
    async shown(id) {
      const row = byId.get({ id })
      return row && shownRow(tasks, row, taskOf)
    },
    async above({ chain }) {
      return chain.flatMap(({ task }) => {
        const row = byId.get({ id: task })
        return row === undefined ? [] : [taskOf(row)]
      })
    },
    async countChildren(id) {
      return children.get({ parent: id })?.n ?? 0
    },
    heartbeat: (id, now) =>
      commit.run(() => {
        const row = byId.get({ id })
        if (row?.state !== 'open') return undefined
        beat.run({ id, now, due: silenceEnds(row, now) })
        const after = byId.get({ id })
        return after && taskOf(after)
      }),
    end: ({ id, cause, outcome, actor, now }) =>
      commit.run((tx) => {
        const leaseCause = cause === 'ended' ? 'task-ended' : cause
        const lane = cause === 'killed' || cause === 'signal' ? 'kill' : 'end'
        return endWithin(tx, id, { cause: leaseCause, lane, actor, now, outcome, taskCause: cause })
      }),
    async due(now, limit) {
      const rows = [...pastDeadline.all({ now, limit }), ...silent.all({ now, limit })]
      // What an end needs, and no more: a row that cannot be read must end, too.
      return rows.slice(0, limit).map(({ id, deadline }) => ({ id: id as TaskId, deadline }))
    },
    forgiveSilence: (now) =>
      commit.run(
        () =>
          db
            .update(tasks)
            .set({
              heartbeatDueAt: sql`min(${tasks.deadline}, ${now} + ${MISSED_BEATS} * ${tasks.heartbeatSeconds} * 1000)`,
            })
            .where(and(isOpen, isNotNull(tasks.heartbeatDueAt)))
            .run().changes,
      ),
    async nextDue() {
      const row = db
        .select({
          deadline: sql<number | null>`(select min(deadline) from tasks where state = 'open')`,
          silence: sql<
            number | null
          >`(select min(heartbeat_due_at) from tasks where state = 'open' and heartbeat_due_at is not null)`,
        })
        .from(sql`(select 1)`)
        .get()
      const instants = [row?.deadline, row?.silence].filter((at) => typeof at === 'number')
      return instants.length === 0 ? undefined : Math.min(...instants)
    },
    async list(filter, page) {
      const where = [
        among(tasks.tenant, filter.tenants),
        filter.agent === undefined ? undefined : eq(tasks.agent, filter.agent),
        filter.tenant === undefined ? undefined : eq(tasks.tenant, filter.tenant),
        filter.state === undefined ? undefined : eq(tasks.state, filter.state),
        filter.parent === undefined ? undefined : eq(tasks.parent, filter.parent),
        filter.tree === undefined ? undefined : inArray(tasks.id, treeOf(filter.tree)),
        beforeId(tasks.createdAt, tasks.id, page),
      ]
      return pageOf(db, tasks, where, page).map((row) => shownRow(tasks, row, taskOf))
    },
    async openCounts() {
      // Index: tasks_agent_open.
      const rows = db
        .select({ agent: tasks.agent, n: sql<number>`count(*)` })
        .from(tasks)
        .where(isOpen)
        .groupBy(tasks.agent)
        .all()
      return new Map(rows.map((row) => [row.agent, row.n]))
    },
  }
}
