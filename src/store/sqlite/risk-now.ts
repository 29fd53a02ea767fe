import { hash } from 'node:crypto'
import type { Signal } from '../store.ts'
import type { Db } from './database.ts'
import { and, gt, isNotNull, isNull, or } from './drizzle.ts'
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
  let known: readonly Signal[] | undefined
  let marked: { readonly text: string; readonly from: number; readonly until: number } | undefined
  watch('signals', 'id', () => {
    known = undefined
    marked = undefined
  })
  const unexpired = (now: number) => {
    known ??= live.all({ now }).map(signalOf)
    return known.filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
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
