import type { Actor } from '../../audit/events.ts'
import type { Tx } from './commit.ts'
import type { Db } from './database.ts'
import { and, eq, isNotNull, isNull, sql } from './drizzle.ts'
import { blocks, kills, signals } from './schema.ts'

/**
 * Takes back the risk that came with a block's signal, once none of that signal's blocks is live:
 * who lifts the last of them calls the alarm false or over.
 */
export function takeBackRisk(
  db: Db,
  tx: Tx,
  { block, actor, now }: { readonly block: string; readonly actor: Actor; readonly now: number },
): void {
  // Index: kills_block.
  const order = db.select({ signal: kills.signal }).from(kills).where(eq(kills.block, block)).get()
  const signal = order?.signal
  if (!signal) return
  const others = db
    .select({ id: blocks.id })
    .from(kills)
    .innerJoin(blocks, eq(blocks.id, kills.block))
    .where(
      and(
        eq(kills.signal, signal),
        isNull(blocks.liftedAt),
        sql`(${blocks.expiresAt} is null or ${blocks.expiresAt} > ${now})`,
      ),
    )
    .get()
  if (others) return
  const { changes } = db
    .update(signals)
    .set({ supersededAt: now })
    .where(and(eq(signals.id, signal), isNotNull(signals.level), isNull(signals.supersededAt)))
    .run()
  if (changes === 0) return
  tx.event({ type: 'risk.changed', actor, data: { signal, taken_back_with: block } })
}
