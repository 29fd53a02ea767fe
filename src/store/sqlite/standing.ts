import type { BlockId } from '../../ids.ts'
import type { SelectorSubject } from '../../model/selector.ts'
import type { Db } from './database.ts'
import { and, desc, gt, isNull, or, sql } from './drizzle.ts'
import { names, namesBy, type Reach, reachOf } from './reach.ts'
import { killOf } from './rows.ts'
import { blocks, kills } from './schema.ts'
import { param, prepared } from './statement.ts'
import type { Watch } from './watch.ts'

/** What stands against a subject: live blocks, and kills ordered since an instant in their order. */
export interface Standing {
  blockAgainst(subject: SelectorSubject, now: number): BlockId | undefined
  /** The number of the latest kill; a lease remembers it as its subject's epoch. */
  latestKill(): number
  /** The first kill after `seq` that names the subject: it came while a mint was in flight. */
  killSince(seq: number, subject: () => SelectorSubject): { readonly cause: string } | undefined
  /** Whether any kill has not reached all it names. */
  hasOpenKills(): boolean
  /** Whether a kill that has not reached it yet ends this task. */
  isDoomed(task: SelectorSubject, openedAt: number): boolean
}

export function standing(db: Db, watch: Watch): Standing {
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

  let liveBlocks: { row: ReturnType<typeof live.all>[number]; reach: Reach }[] | undefined
  watch('blocks', 'id', () => {
    liveBlocks = undefined
  })
  let ordered: { latest: number; open: ReturnType<typeof open.all> } | undefined
  watch('kills', 'seq', () => {
    ordered = undefined
  })
  const killsNow = () => {
    ordered ??= { latest: latest.get()?.seq ?? 0, open: open.all() }
    return ordered
  }

  return {
    blockAgainst(subject, now) {
      liveBlocks ??= live.all({ now }).map((row) => ({ row, reach: reachOf(row) }))
      // An expiry that is no number has not passed, as in SQLite's own order of types (P3).
      const block = liveBlocks.find(
        ({ row, reach }) =>
          (row.expiresAt === null || !(row.expiresAt <= now)) && namesBy(reach, subject),
      )
      return block?.row.id as BlockId | undefined
    },
    latestKill: () => killsNow().latest,
    killSince(seq, subject) {
      if (seq >= killsNow().latest) return undefined
      const against = subject()
      return since.all({ seq }).find((row) => names(row, against))
    },
    hasOpenKills: () => killsNow().open.length > 0,
    isDoomed(task, openedAt) {
      return killsNow().open.some(
        (kill) => kill.endsTasks !== 0 && openedAt <= killOf(kill).createdAt && names(kill, task),
      )
    },
  }
}
