import type { KeptPolicy } from '../store.ts'
import type { Db } from './database.ts'
import { eq } from './drizzle.ts'
import { policySets } from './schema.ts'
import { param, prepared } from './statement.ts'

/** The sets that were in force last are kept; decisions older than those lose their policies' text. */
const MAX_SETS = 50

/** The policies decisions rest on, by the hash each decision names. */
export function policySetTable(db: Db) {
  const keep = db.$client.prepare(
    `insert into policy_sets (hash, in_force_since, policies_json) values (?, ?, ?)
     on conflict (hash) do update set in_force_since = excluded.in_force_since`,
  )
  const prune = db.$client.prepare(
    `delete from policy_sets where hash not in
     (select hash from policy_sets order by in_force_since desc, rowid desc limit ${MAX_SETS})`,
  )
  const byHash = prepared(
    db,
    db
      .select()
      .from(policySets)
      .where(eq(policySets.hash, param('hash'))),
  )
  return {
    keep(hash: string, policies: readonly KeptPolicy[], now: number): void {
      keep.run(hash, now, JSON.stringify(policies))
      prune.run()
    },
    policiesOf(hash: string): readonly KeptPolicy[] | undefined {
      const row = byHash.get({ hash })
      return row && (JSON.parse(row.policiesJson) as KeptPolicy[])
    },
  }
}
