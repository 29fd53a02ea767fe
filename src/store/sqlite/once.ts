import type { OneTimeEvidence } from '../store.ts'
import type { Db } from './database.ts'
import { inArray, lte, sql } from './drizzle.ts'
import { evidenceUsed } from './schema.ts'
import { param, prepared } from './statement.ts'

/** More than are added, so that the old ones do go, and few enough that no commit waits for them. */
const FORGOTTEN_AT_ONCE = 32

/**
 * Spends what is good for one use, inside the caller's transaction: false if it was used before, or
 * may have been: what it was used for before `restoredAt` is unknown. What has expired is
 * forgotten, because it is refused for its age.
 */
export function spender(
  db: Db,
  restoredAt: number | undefined,
): (once: OneTimeEvidence, now: number) => boolean {
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
    db.delete(evidenceUsed).where(
      inArray(
        evidenceUsed.id,
        db
          .select({ id: evidenceUsed.id })
          .from(evidenceUsed)
          .where(lte(evidenceUsed.expiresAt, param('now')))
          .limit(FORGOTTEN_AT_ONCE),
      ),
    ),
  )
  return ({ id, issuedAt, expiresAt }, now) => {
    forget.run({ now })
    if (restoredAt !== undefined && issuedAt < restoredAt) return false
    return insert.run({ id, expiresAt }).changes > 0
  }
}
