import type { BlockId } from '../../ids.ts'
import type { SelectorSubject } from '../../model/selector.ts'
import type { Db } from './database.ts'
import { and, desc, gt, isNull, or, sql } from './drizzle.ts'
import { names } from './reach.ts'
import { blocks, kills } from './schema.ts'
import { param, prepared } from './statement.ts'

/** What stands against a subject: live blocks, and kills ordered since an instant in their order. */
export interface Standing {
  blockAgainst(subject: SelectorSubject, now: number): BlockId | undefined
  /** The number of the latest kill; a lease remembers it as its subject's epoch. */
  latestKill(): number
  /** The first kill after `seq` that names the subject: it came while a mint was in flight. */
  killSince(seq: number, subject: () => SelectorSubject): { readonly cause: string } | undefined
  /** Whether a kill that has not reached it yet ends this task. */
  isDoomed(task: SelectorSubject, openedAt: number): boolean
}

export function standing(db: Db): Standing {
  // Index: blocks_live.
  const live = prepared(
    db,
    db
      .select()
      .from(blocks)
      .where(
        and(
          isNull(blocks.liftedAt),
          or(isNull(blocks.expiresAt), gt(blocks.expiresAt, param('now'))),
        ),
      ),
  )
  const latest = prepared(
    db,
    db.select({ seq: kills.seq }).from(kills).orderBy(desc(kills.seq)).limit(1),
  )
  const since = prepared(
    db,
    db
      .select()
      .from(kills)
      .where(gt(kills.seq, param('seq'))),
  )
  // Index: kills_open.
  const open = prepared(db, db.select().from(kills).where(sql`${kills.open} = 1`))
  return {
    blockAgainst(subject, now) {
      return live.all({ now }).find((row) => names(row, subject))?.id as BlockId | undefined
    },
    latestKill: () => latest.get()?.seq ?? 0,
    killSince(seq, subject) {
      const rows = since.all({ seq })
      if (rows.length === 0) return undefined
      const against = subject()
      return rows.find((row) => names(row, against))
    },
    isDoomed(task, openedAt) {
      return open
        .all()
        .some((kill) => kill.endsTasks === 1 && openedAt <= kill.createdAt && names(kill, task))
    },
  }
}
