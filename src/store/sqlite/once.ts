import type { OneTimeEvidence } from '../store.ts'
import type { Db } from './database.ts'
import { lte, sql } from './drizzle.ts'
import { evidenceUsed } from './schema.ts'
import { param, prepared } from './statement.ts'

/**
 * Spends what is good for one use, inside the caller's transaction: false if it was used before.
 * What has expired is forgotten, because it is refused for its age.
 */
export function spender(db: Db): (once: OneTimeEvidence, now: number) => boolean {
  const insert = prepared(
    db,
    db
      .insert(evidenceUsed)
      .values({ id: sql.placeholder('id'), expiresAt: sql.placeholder('expiresAt') })
      .onConflictDoNothing(),
  )
  // Index: evidence_expiry.
  const forget = prepared(
    db,
    db.delete(evidenceUsed).where(lte(evidenceUsed.expiresAt, param('now'))),
  )
  return (once, now) => {
    forget.run({ now })
    return insert.run({ ...once }).changes > 0
  }
}
