import { hash } from 'node:crypto'
import type { Signal } from '../store.ts'
import type { Db } from './database.ts'
import { and, eq, gt, isNotNull, isNull, or } from './drizzle.ts'
import { signals } from './schema.ts'
import { signalOf } from './signal-row.ts'
import { param, prepared } from './statement.ts'
import type { Watch } from './watch.ts'

/** The signals that set a risk now, kept in mind because every decision asks. */
export interface RiskNow {
  signals(now: number): readonly Signal[]
  /** Another text whenever another set of signals counts; the same after a restart. */
  mark(now: number): string
}

export function riskNow(db: Db, watch: Watch): RiskNow {
  const counts = (now: 'now') =>
    and(
      isNotNull(signals.level),
      isNull(signals.supersededAt),
      or(isNull(signals.expiresAt), gt(signals.expiresAt, param(now))),
    )
  // Index: signals_risk.
  const live = prepared(db, db.select().from(signals).where(counts('now')))
  const one = prepared(
    db,
    db
      .select()
      .from(signals)
      .where(and(eq(signals.id, param('id')), counts('now'))),
  )
  let known: Map<string, Signal> | undefined
  /** What changed since it was read: no other is read again for it. */
  const changed = new Set<string>()
  let marked: { readonly text: string; readonly from: number; readonly until: number } | undefined
  watch('signals', 'id', (id) => {
    if (id === undefined) known = undefined
    else changed.add(String(id))
    marked = undefined
  })
  const readAgain = (now: number) => {
    if (known === undefined) {
      known = new Map(live.all({ now }).map((row) => [row.id, signalOf(row)]))
    } else {
      for (const id of changed) {
        const row = one.get({ id, now })
        if (row) known.set(id, signalOf(row))
        else known.delete(id)
      }
    }
    changed.clear()
    return known
  }
  const unexpired = (now: number) => {
    const counted: Signal[] = []
    const all = readAgain(now)
    for (const [id, signal] of all) {
      if (signal.expiresAt === null || signal.expiresAt > now) counted.push(signal)
      else all.delete(id)
    }
    return counted
  }
  return {
    signals: unexpired,
    mark(now) {
      if (marked && marked.from <= now && now < marked.until) return marked.text
      const counted = unexpired(now)
      const lines = counted.map(({ id, level }) => `${id} ${level}`).toSorted()
      const until = Math.min(...counted.map(({ expiresAt }) => expiresAt ?? Infinity))
      marked = { text: hash('sha256', lines.join('\n'), 'hex').slice(0, 32), from: now, until }
      return marked.text
    },
  }
}
