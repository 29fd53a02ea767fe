import { RISK_LEVELS } from '../../model/risk.ts'
import type { KillCounts, NewSignal, SignalStore } from '../store.ts'
import type { ApprovalMoves } from './approval-moves.ts'
import type { GroupCommit } from './commit.ts'
import type { Db } from './database.ts'
import { and, eq, gte, isNotNull, isNull } from './drizzle.ts'
import type { OrderKill } from './kills.ts'
import { beforeId, pageOf } from './paging.ts'
import type { RiskNow } from './risk-now.ts'
import { signals } from './schema.ts'
import { signalOf } from './signal-row.ts'

const LATE = 'a later event of this kind was here before it'

export function signalStore(rooms: {
  readonly db: Db
  readonly commit: GroupCommit
  readonly risk: RiskNow
  readonly approvals: Pick<ApprovalMoves, 'expireMatching'>
  readonly orderKill: OrderKill
}): SignalStore {
  const { db, commit, risk, approvals, orderKill } = rooms
  const sameTopic = ({ source, subject, topic }: NewSignal) =>
    and(
      eq(signals.source, source),
      eq(signals.subjectJson, JSON.stringify(subject)),
      topic === undefined ? isNull(signals.topic) : eq(signals.topic, topic),
      isNotNull(signals.level),
    )
  /** Whether a later event of its topic was here already, or a worse one of the same moment. */
  function isLate(signal: NewSignal): boolean {
    const { at, level, raisesOnly } = signal
    if (at === undefined || level === null || raisesOnly) return false
    // Index: signals_topic. One superseded or taken back still was the later word.
    const later = db
      .select({ eventAt: signals.eventAt, level: signals.level })
      .from(signals)
      .where(and(sameTopic(signal), isNotNull(signals.eventAt), gte(signals.eventAt, at)))
      .all()
    return later.some((one) => Number(one.eventAt) > at || rank(one.level) > rank(level))
  }
  /** A newer word of the same source about the same subject and topic replaces its older one. */
  function supersede(signal: NewSignal): void {
    const { level, expiresAt, receivedAt } = signal
    // Index: signals_topic.
    const before = db
      .select({ id: signals.id, level: signals.level, expiresAt: signals.expiresAt })
      .from(signals)
      .where(and(sameTopic(signal), isNull(signals.supersededAt)))
      .all()
    const replaced = before.filter(
      (one) =>
        signal.raisesOnly !== true ||
        (rank(one.level) <= rank(level) &&
          (expiresAt === null || (one.expiresAt !== null && one.expiresAt <= expiresAt))),
    )
    for (const { id } of replaced) {
      db.update(signals).set({ supersededAt: receivedAt }).where(eq(signals.id, id)).run()
    }
  }
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
        const late = isLate(signal)
        const ordered = late ? [] : kills.map((kill) => orderKill(tx, kill))
        const subjectJson = JSON.stringify(signal.subject)
        if (signal.level !== null && !late) supersede(signal)
        const about = late ? { ...signal.about, why: LATE } : signal.about
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
            action: late ? 'note' : signal.action,
            reason: signal.reason,
            expiresAt: signal.expiresAt,
            supersededAt: late ? signal.receivedAt : null,
            topic: signal.topic ?? null,
            eventAt: signal.at ?? null,
            aboutJson: about === undefined ? null : JSON.stringify(about),
            kill: ordered[0]?.id ?? null,
            matchedJson: JSON.stringify(matched),
          })
          .returning()
          .get()
        const { subject, level, reason } = signal
        const { action } = row
        const actor = `source:${source}` as const
        const facts = { signal: signal.id, message_id: messageId, subject, action, reason }
        const data = {
          ...facts,
          ...(level === null ? {} : { level }),
          ...(about === undefined ? {} : { about }),
          matched,
        }
        tx.event({ type: 'signal.received', actor, data })
        if (level !== null && !late) {
          tx.event({ type: 'risk.changed', actor, data: { signal: signal.id, subject, level } })
        }
        if (level === 'HIGH' && !late) {
          // A yes was said to somebody else than whom this is about; it does not come back.
          for (const selector of signal.effective) {
            const voiding = { cause: 'risk', actor, now: signal.receivedAt } as const
            approvals.expireMatching(tx, { selector, tenants: null }, voiding)
          }
        }
        tx.nudge()
        return { ok: true, signal: signalOf(row), repeated: false }
      }),
    risks: async (now) => risk.signals(now),
    riskMark: async (now) => risk.mark(now),
    clear: ({ ids, actor, reason, now }) =>
      commit.run((tx) => {
        const cleared = risk.signals(now).filter(({ id }) => ids.includes(id))
        for (const { id: signal, subject } of cleared) {
          db.update(signals).set({ supersededAt: now }).where(eq(signals.id, signal)).run()
          const data = { signal, subject, cleared: true, reason }
          tx.event({ type: 'risk.changed', actor, data })
        }
        if (cleared.length > 0) tx.nudge()
        return cleared
      }),
    async list({ source }, page) {
      const where = [
        source === undefined ? undefined : eq(signals.source, source),
        beforeId(signals.receivedAt, signals.id, page),
      ]
      return pageOf(db, signals, where, page).map(signalOf)
    },
  }
}

/** What cannot be read is above everything. */
function rank(level: string | null): number {
  const at = RISK_LEVELS.findIndex((one) => one === level)
  return at === -1 ? RISK_LEVELS.length : at
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
