import type { Actor } from '../../audit/events.ts'
import type { LeaseId } from '../../ids.ts'
import type { ApprovalCause } from '../../model/approval.ts'
import { matches, type Selector, type SelectorSubject } from '../../model/selector.ts'
import type { ApprovalWaiting } from './approval-waiting.ts'
import type { Tx } from './commit.ts'
import type { Db } from './database.ts'
import { and, eq, sql } from './drizzle.ts'
import { type Lineage, subjectsAbove } from './lineage.ts'
import { approvals } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isUndecidedOrUnused } from './states.ts'

export type ApprovalRow = typeof approvals.$inferSelect

export interface Voiding {
  readonly cause: ApprovalCause
  readonly actor: Actor
  readonly now: number
}

/** Moves of an approval that several transitions share; each runs inside the caller's transaction. */
export interface ApprovalMoves {
  byId(id: string): ApprovalRow | undefined
  /** Pending or granted ones of a task. */
  openOf(task: { readonly agent: string; readonly id: string }): ApprovalRow[]
  /** Why it is worth nothing now, whatever its state says; undefined: nothing stands against it. */
  worthless(
    approval: ApprovalRow,
    at: { readonly now: number; readonly policyHash: string },
  ): ApprovalCause | undefined
  /** Pending or granted → expired; nothing happens to what is past that. */
  expire(tx: Tx, approval: ApprovalRow, voiding: Voiding): void
  /** The same for all of a task that ends. */
  expireOfTask(tx: Tx, task: { readonly agent: string; readonly id: string }, v: Voiding): void
  /** The same for whatever a selector names, within `tenants`: one that cannot be read, too (P3). */
  expireMatching(
    tx: Tx,
    named: { readonly selector: Selector; readonly tenants: readonly string[] | null },
    voiding: Voiding,
  ): void
  /** Granted → consumed, by one lease. */
  consume(tx: Tx, approval: ApprovalRow, lease: LeaseId): void
}

export function approvalMoves(
  db: Db,
  rooms: { readonly lineage: Lineage; readonly waiting: ApprovalWaiting; readonly epoch: number },
): ApprovalMoves {
  const { lineage, waiting, epoch } = rooms
  const byId = prepared(
    db,
    db
      .select()
      .from(approvals)
      .where(eq(approvals.id, param('id'))),
  )
  // Index: approvals_open.
  const openOf = prepared(
    db,
    db
      .select()
      .from(approvals)
      .where(
        and(
          isUndecidedOrUnused,
          eq(approvals.agent, param('agent')),
          eq(approvals.task, param('task')),
        ),
      ),
  )
  // Index: approvals_open. Caps keep few of them for each agent.
  const open = prepared(db, db.select().from(approvals).where(isUndecidedOrUnused))
  const toExpired = prepared(
    db,
    db
      .update(approvals)
      .set({ state: 'expired', cause: param('cause'), noticeDueAt: null })
      .where(and(eq(approvals.id, param('id')), isUndecidedOrUnused)),
  )
  const toConsumed = prepared(
    db,
    db
      .update(approvals)
      .set({ state: 'consumed', lease: param('lease') })
      .where(and(eq(approvals.id, param('id')), sql`${approvals.state} = 'granted'`)),
  )

  const moves: ApprovalMoves = {
    byId: (id) => byId.get({ id }),
    openOf: ({ agent, id }) => openOf.all({ agent, task: id }),
    worthless(row, { now, policyHash }) {
      if (row.epoch !== epoch) return 'restored'
      if (row.policyHash !== policyHash) return 'policy'
      return row.expiresAt <= now ? 'time' : undefined
    },
    expire(tx, row, { cause, actor }) {
      if (toExpired.run({ id: row.id, cause }).changes === 0) return
      waiting.touch(row.id)
      tx.event({
        type: 'approval.expired',
        actor,
        tenant: row.tenant,
        task: row.task,
        data: { approval: row.id, cause, from: row.state },
      })
    },
    expireOfTask(tx, task, voiding) {
      for (const row of moves.openOf(task)) moves.expire(tx, row, voiding)
    },
    expireMatching(tx, named, voiding) {
      for (const row of open.all()) if (isNamed(row, named)) moves.expire(tx, row, voiding)
    },
    consume(tx, row, lease) {
      if (toConsumed.run({ id: row.id, lease }).changes === 0) {
        throw new Error(`${row.id} was used within this transaction`)
      }
      waiting.touch(row.id)
      tx.event({
        type: 'approval.consumed',
        actor: `agent:${row.agent}`,
        tenant: row.tenant,
        task: row.task,
        lease,
        data: { approval: row.id, granted_by: row.decidedBy, grant: row.grantHash },
      })
    },
  }
  return moves

  function isNamed(
    row: ApprovalRow,
    { selector, tenants }: { selector: Selector; tenants: readonly string[] | null },
  ): boolean {
    if (tenants !== null && !tenants.includes(row.tenant)) return false
    try {
      return matches(selector, subjectOf(row))
    } catch {
      return true
    }
  }

  function subjectOf(row: ApprovalRow): SelectorSubject {
    const { task, agent, workload, tenant, issuer, entitlement, provider, target } = row
    const request = { entitlement, provider, target, policy_hash: row.policyHash }
    const above = subjectsAbove(lineage(task), request)
    return { task, agent, workload, tenant, issuer, ...request, ...above }
  }
}
