import type { EndingStore } from '../store.ts'
import type { GroupCommit, Tx } from './commit.ts'
import type { Db } from './database.ts'
import { and, asc, eq, lte, sql } from './drizzle.ts'
import { type LeaseRow, laneRank } from './rows.ts'
import { leases } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isEnding } from './states.ts'

/** Endings whose credential has died by itself, before its upstream was seen to refuse it. */
export function runningOut({
  db,
  commit,
}: {
  readonly db: Db
  readonly commit: GroupCommit
}): Pick<EndingStore, 'runningOut' | 'runOut' | 'nextRunOut'> {
  // Index: leases_running_out.
  const providers = prepared(
    db,
    db
      .selectDistinct({ provider: leases.provider })
      .from(leases)
      .where(and(isEnding, lte(leases.latestPossibleExpiry, param('now')))),
  )
  // Index: leases_running_out.
  const pastExpiry = prepared(
    db,
    db
      .select()
      .from(leases)
      .where(
        and(
          isEnding,
          eq(leases.provider, param('provider')),
          lte(leases.latestPossibleExpiry, param('surely')),
        ),
      )
      .orderBy(asc(leases.latestPossibleExpiry))
      .limit(sql.placeholder('limit')),
  )
  const toEnded = prepared(
    db,
    db
      .update(leases)
      .set({
        state: 'ended',
        containment: 'expired',
        endedAt: param('now'),
        exposedUntil: param('exposedUntil'),
        laneRank: param('lane'),
        dueAt: param('due'),
      })
      .where(eq(leases.id, param('id'))),
  )

  return {
    async runningOut(now) {
      return providers.all({ now }).map(({ provider }) => provider)
    },
    runOut: (provider, surely, limit) =>
      commit.run((tx) => {
        const rows = pastExpiry.all({ provider, surely, limit })
        for (const row of rows) runOutOne(tx, row, surely)
        return rows.length
      }),
    async nextRunOut() {
      const first = db
        .select({ at: leases.latestPossibleExpiry })
        .from(leases)
        .where(isEnding)
        .orderBy(asc(leases.latestPossibleExpiry))
        .limit(1)
      return first.get()?.at
    },
  }

  function runOutOne(tx: Tx, row: LeaseRow, surely: number): void {
    // What was never seen to end upstream may have left something behind: a policy, a pool account.
    const untouched = row.containment !== 'enforced' && row.revocability !== 'expiry'
    const cleans = row.slot !== null || untouched
    toEnded.run({
      id: row.id,
      now: surely,
      exposedUntil: Math.min(row.exposedUntil, surely),
      lane: laneRank('cleanup'),
      due: cleans ? surely : null,
    })
    tx.event({
      type: 'lease.ended',
      actor: 'mayfly',
      tenant: row.tenant,
      task: row.task,
      lease: row.id,
      data: { containment: 'expired', attempts: row.attempts },
    })
    if (cleans) tx.nudge()
  }
}
