import type { KeyName } from '../../model/key.ts'
import type { Instance } from '../store.ts'
import type { Db } from './database.ts'
import { and, eq, gt, lte, sql } from './drizzle.ts'
import { pins } from './schema.ts'
import { param, prepared } from './statement.ts'

/** Holds the instances of workloads to the first key each showed; inside the caller's transaction. */
export interface Pins {
  /** What is wrong with the key shown now. An instance that never showed one may go on without. */
  mismatch(
    instance: Instance,
    key: KeyName | null,
    now: number,
  ): 'other-key' | 'key-missing' | undefined
  keep(instance: Instance, key: KeyName, now: number): void
}

export function pinsOf(db: Db): Pins {
  const pinned = prepared(
    db,
    db
      .select({ key: pins.key })
      .from(pins)
      .where(and(eq(pins.instance, param('instance')), gt(pins.expiresAt, param('now')))),
  )
  const keep = prepared(
    db,
    db
      .insert(pins)
      .values({
        instance: sql.placeholder('instance'),
        key: sql.placeholder('key'),
        expiresAt: sql.placeholder('expiresAt'),
      })
      .onConflictDoUpdate({
        target: pins.instance,
        set: { expiresAt: sql`max(${pins.expiresAt}, excluded.expires_at)` },
      }),
  )
  // Index: pins_expiry.
  const forget = prepared(db, db.delete(pins).where(lte(pins.expiresAt, param('now'))))
  return {
    mismatch(instance, key, now) {
      const before = pinned.get({ instance: instance.name, now })?.key
      if (before === undefined || before === key) return undefined
      return key === null ? 'key-missing' : 'other-key'
    },
    keep(instance, key, now) {
      forget.run({ now })
      keep.run({ instance: instance.name, key, expiresAt: instance.pinnedUntil })
    },
  }
}
