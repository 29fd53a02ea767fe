import type { Approval, ApprovalCause } from '../../model/approval.ts'
import type { ApprovalStore } from '../store.ts'
import type { ApprovalMoves, ApprovalRow } from './approval-moves.ts'
import type { ApprovalWaiting } from './approval-waiting.ts'
import type { GroupCommit } from './commit.ts'
import type { Db } from './database.ts'
import { and, asc, eq, gt, inArray, isNotNull, lte, ne, or, sql } from './drizzle.ts'
import { among, beforeId, pageOf } from './paging.ts'
import { approvalOf } from './rows.ts'
import { approvals } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isUndecidedOrUnused } from './states.ts'

export function approvalStore(rooms: {
  readonly db: Db
  readonly commit: GroupCommit
  readonly moves: ApprovalMoves
  readonly waiting: ApprovalWaiting
  readonly epoch: number
}): ApprovalStore {
  const { db, commit, moves, waiting, epoch } = rooms
  const toDecided = prepared(
    db,
    db
      .update(approvals)
      .set({
        state: param('state'),
        decidedAt: param('now'),
        decidedBy: param('by'),
        reason: param('reason'),
        expiresAt: param('expiresAt'),
        noticeDueAt: null,
      })
      .where(and(eq(approvals.id, param('id')), isUndecidedOrUnused)),
  )
  // Index: approvals_expiry.
  const pastTime = prepared(
    db,
    db
      .select()
      .from(approvals)
      .where(and(isUndecidedOrUnused, lte(approvals.expiresAt, param('latest'))))
      .orderBy(asc(approvals.expiresAt))
      .limit(sql.placeholder('limit')),
  )
  // Index: approvals_open, all of it: asked once for each policy set.
  const foreign = prepared(
    db,
    db
      .select()
      .from(approvals)
      .where(
        and(
          isUndecidedOrUnused,
          or(ne(approvals.policyHash, param('policyHash')), ne(approvals.epoch, param('epoch'))),
        ),
      )
      .limit(sql.placeholder('limit')),
  )
  // Index: approvals_expiry.
  const pending = prepared(
    db,
    db
      .select({ n: sql<number>`count(*)` })
      .from(approvals)
      .where(
        and(
          isUndecidedOrUnused,
          sql`${approvals.state} = 'pending'`,
          gt(approvals.expiresAt, param('now')),
        ),
      ),
  )
  // Index: approvals_notice.
  const noticeDue = prepared(
    db,
    db
      .select()
      .from(approvals)
      .where(and(isNotNull(approvals.noticeDueAt), lte(approvals.noticeDueAt, param('now'))))
      .orderBy(asc(approvals.noticeDueAt))
      .limit(sql.placeholder('limit')),
  )

  /** Looked for before anything is written: mostly there is nothing. */
  const expireAll = async (
    find: () => ApprovalRow[],
    order: { readonly now: number; readonly causeOf: (row: ApprovalRow) => ApprovalCause },
  ): Promise<number> => {
    if (find().length === 0) return 0
    return await commit.run((tx) => {
      const rows = find()
      const { now, causeOf } = order
      for (const row of rows) moves.expire(tx, row, { cause: causeOf(row), actor: 'mayfly', now })
      return rows.length
    })
  }

  return {
    decide: ({ id, verdict, actor, reason, expiresAt, policyHash, now }) =>
      commit.run((tx) => {
        const row = moves.byId(id)
        if (!row) return undefined
        const cause = moves.worthless(row, { now, policyHash })
        if (cause) moves.expire(tx, row, { cause, actor: 'mayfly', now })
        const open = row.state === 'pending' || (row.state === 'granted' && verdict === 'denied')
        if (cause || !open) return { ok: false, approval: approvalOf(moves.byId(id) ?? row) }
        const until = verdict === 'granted' ? expiresAt : row.expiresAt
        toDecided.run({ id, state: verdict, now, by: actor, reason, expiresAt: until })
        waiting.touch(id)
        tx.event({
          type: verdict === 'granted' ? 'approval.granted' : 'approval.denied',
          actor,
          tenant: row.tenant,
          task: row.task,
          data: {
            approval: id,
            grant: row.grantHash,
            ...(reason === null ? {} : { reason }),
            ...(verdict === 'granted' ? { expires_at: new Date(until).toISOString() } : {}),
          },
        })
        return { ok: true, approval: approvalOf(moves.byId(id) ?? row) }
      }),
    async byId(id) {
      const row = moves.byId(id)
      return row && readable(row)
    },
    expire: ({ latest, now, limit }) =>
      expireAll(() => pastTime.all({ latest, limit }), { now, causeOf: () => 'time' }),
    expireForeign: ({ policyHash, now, limit }) =>
      expireAll(() => foreign.all({ policyHash, epoch, limit }), {
        now,
        causeOf: (row) => (row.epoch === epoch ? 'policy' : 'restored'),
      }),
    async list(filter, page) {
      const where = [
        among(approvals.tenant, filter.tenants),
        filter.state === undefined ? undefined : eq(approvals.state, filter.state),
        filter.agent === undefined ? undefined : eq(approvals.agent, filter.agent),
        filter.task === undefined ? undefined : eq(approvals.task, filter.task),
        filter.tenant === undefined ? undefined : eq(approvals.tenant, filter.tenant),
        beforeId(approvals.createdAt, approvals.id, page),
      ]
      return pageOf(db, approvals, where, page).flatMap((row) => readable(row) ?? [])
    },
    async countPending(now) {
      return pending.get({ now })?.n ?? 0
    },
    async noticesDue(now, limit) {
      const read = noticeDue.all({ now, limit }).map((row) => ({ row, approval: readable(row) }))
      const lost = read.filter(({ approval }) => !approval).map(({ row }) => row.id)
      if (lost.length > 0) {
        // Nobody can be told of them, and they must not stand before those that can be told (P13).
        await commit.run(() =>
          db.update(approvals).set({ noticeDueAt: null }).where(inArray(approvals.id, lost)).run(),
        )
      }
      return read.flatMap(({ row, approval }) =>
        approval ? [{ approval, attempts: row.noticeAttempts }] : [],
      )
    },
    noticed: (id, retryAt) =>
      commit.run(() => {
        // One that is no longer pending has nothing due: nobody needs to decide it any more.
        db.update(approvals)
          .set({ noticeDueAt: retryAt, noticeAttempts: sql`${approvals.noticeAttempts} + 1` })
          .where(and(eq(approvals.id, id), isNotNull(approvals.noticeDueAt)))
          .run()
      }),
    watch: waiting.watch,
    letGo: waiting.letGo,
  }
}

/** Nobody says yes to what cannot be shown (P3); it expires like any other, and harms none (P13). */
function readable(row: ApprovalRow): Approval | undefined {
  try {
    return approvalOf(row)
  } catch {
    return undefined
  }
}
