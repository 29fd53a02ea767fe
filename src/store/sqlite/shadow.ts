import type { ShadowDifference } from '../store.ts'
import type { Db } from './database.ts'
import { inArray, sql } from './drizzle.ts'
import { decisions, shadowDifferences } from './schema.ts'
import { insertStatement } from './statement.ts'

/** The newest are kept: what a set would change now matters, not what it would have last year. */
const MAX_KEPT = 100_000

/** Writes what shadow policies would have decided; inside the caller's transaction. */
export function recordShadow(db: Db) {
  const insert = insertStatement(db, shadowDifferences)
  const newest = db.$client.prepare('select max(rowid) from shadow_differences').pluck()
  const prune = db.$client.prepare('delete from shadow_differences where rowid <= ?')
  return (differences: readonly ShadowDifference[]): void => {
    for (const { decision, outcome, policies, reasons, policyHash } of differences) {
      insert({
        decision,
        outcome,
        policiesJson: JSON.stringify(policies),
        reasonsJson: JSON.stringify(reasons),
        policyHash,
      })
    }
    prune.run(Number(newest.get() ?? 0) - MAX_KEPT)
  }
}

/** Decisions that shadow policies would have made differently, and not because a rail refused. */
export const SHADOW_DIFFERS = sql`exists (select 1 from ${shadowDifferences}
  where ${shadowDifferences.decision} = ${decisions.id}
  and ${shadowDifferences.outcome} <> ${decisions.outcome})`

/** What shadow policies would have decided, by decision; those that agreed are absent. */
export function shadowsOf(db: Db, ids: readonly string[]): ReadonlyMap<string, ShadowDifference> {
  if (ids.length === 0) return new Map()
  const rows = db
    .select()
    .from(shadowDifferences)
    .where(inArray(shadowDifferences.decision, [...ids]))
    .all()
  return new Map(rows.map((row) => [row.decision, differenceOf(row)]))
}

function differenceOf(row: typeof shadowDifferences.$inferSelect): ShadowDifference {
  return {
    decision: row.decision as ShadowDifference['decision'],
    outcome: row.outcome as ShadowDifference['outcome'],
    policies: JSON.parse(row.policiesJson) as string[],
    reasons: JSON.parse(row.reasonsJson) as string[],
    policyHash: row.policyHash,
  }
}
