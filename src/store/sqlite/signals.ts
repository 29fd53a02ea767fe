import type { KillCounts, Signal, SignalStore } from '../store.ts'
import type { ApprovalMoves } from './approval-moves.ts'
import type { GroupCommit } from './commit.ts'
import type { Db } from './database.ts'
import { and, eq, gt, isNotNull, isNull, or } from './drizzle.ts'
import type { OrderKill } from './kills.ts'
import { beforeId, pageOf } from './paging.ts'
import { signals } from './schema.ts'
import { signalOf } from './signal-row.ts'
import { param, prepared } from './statement.ts'
import type { Watch } from './watch.ts'

export function signalStore(rooms: {
  readonly db: Db
  readonly commit: GroupCommit
  readonly watch: Watch
  readonly approvals: Pick<ApprovalMoves, 'expireMatching'>
  readonly orderKill: OrderKill
}): SignalStore {
  const { db, commit, watch, approvals, orderKill } = rooms
  // Index: signals_risk.
  const live = prepared(
    db,
    db
      .select()
      .from(signals)
      .where(
        and(
          isNotNull(signals.level),
          isNull(signals.supersededAt),
          or(isNull(signals.expiresAt), gt(signals.expiresAt, param('now'))),
        ),
      ),
  )
  /** Asked for before every decision. */
  let risks: Signal[] | undefined
  watch('signals', 'id', () => {
    risks = undefined
  })
  return {
    receive: (signal, kills) =>
      commit.run((tx) => {
        const { source, messageId } = signal
        // Index: signals_message.
        const before = db
          .select()
          .from(signals)
          .where(and(eq(signals.source, source), eq(signals.messageId, messageId)))
          .get()
        if (before) {
          if (before.bodyHash !== signal.bodyHash) return { ok: false, why: 'other-body' }
          return { ok: true, signal: signalOf(before), repeated: true }
        }
        const ordered = kills.map((kill) => orderKill(tx, kill))
        const subjectJson = JSON.stringify(signal.subject)
        if (signal.level !== null) {
          // A newer word of the same source about the same subject replaces its older one.
          db.update(signals)
            .set({ supersededAt: signal.receivedAt })
            .where(
              and(
                eq(signals.source, source),
                eq(signals.subjectJson, subjectJson),
                isNotNull(signals.level),
                isNull(signals.supersededAt),
              ),
            )
            .run()
        }
        const matched = sum(ordered.map((kill) => kill.counts))
        const row = db
          .insert(signals)
          .values({
            id: signal.id,
            source,
            messageId,
            bodyHash: signal.bodyHash,
            receivedAt: signal.receivedAt,
            subjectJson,
            effectiveJson: JSON.stringify(signal.effective),
            level: signal.level,
            action: signal.action,
            reason: signal.reason,
            expiresAt: signal.expiresAt,
            kill: ordered[0]?.id ?? null,
            matchedJson: JSON.stringify(matched),
          })
          .returning()
          .get()
        const { subject, level, action, reason } = signal
        const actor = `source:${source}` as const
        const about = { signal: signal.id, message_id: messageId, subject, action, reason }
        const data = { ...about, ...(level === null ? {} : { level }), matched }
        tx.event({ type: 'signal.received', actor, data })
        if (level !== null) {
          tx.event({ type: 'risk.changed', actor, data: { signal: signal.id, subject, level } })
        }
        if (level === 'HIGH') {
          // A yes was said to somebody else than whom this is about; it does not come back.
          for (const selector of signal.effective) {
            const voiding = { cause: 'risk', actor, now: signal.receivedAt } as const
            approvals.expireMatching(tx, { selector, tenants: null }, voiding)
          }
        }
        tx.nudge()
        return { ok: true, signal: signalOf(row), repeated: false }
      }),
    async risks(now) {
      risks ??= live.all({ now }).map(signalOf)
      return risks.filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
    },
    async list({ source }, page) {
      const where = [
        source === undefined ? undefined : eq(signals.source, source),
        beforeId(signals.receivedAt, signals.id, page),
      ]
      return pageOf(db, signals, where, page).map(signalOf)
    },
  }
}

function sum(counts: readonly KillCounts[]): KillCounts {
  const total = { leases: 0, tasks: 0, agents: 0 }
  for (const one of counts) {
    total.leases += one.leases
    total.tasks += one.tasks
    total.agents += one.agents
  }
  return total
}
