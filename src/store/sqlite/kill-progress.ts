import type { KillId } from '../../ids.ts'
import { CONTAINMENTS } from '../../model/lease.ts'
import type { KillProgress } from '../store.ts'
import type { Db } from './database.ts'
import { eq, sql } from './drizzle.ts'
import { killLeases, kills, leases } from './schema.ts'
import { isEnding } from './states.ts'

/** How far the leases of one kill have come. Indexes: kills_id, kill_leases_key. */
export function killProgress(db: Db, id: KillId): KillProgress {
  const rows = db
    .select({
      containment: leases.containment,
      count: sql<number>`count(*)`,
      remaining: sql<number>`count(*) filter (where ${isEnding})`,
      oldest: sql<
        number | null
      >`min(${leases.endingSince}) filter (where ${isEnding} and ${leases.containment} in ('pending', 'unknown'))`,
      exposedUntil: sql<number | null>`max(${leases.exposedUntil}) filter (where ${isEnding})`,
    })
    .from(kills)
    .innerJoin(killLeases, eq(killLeases.killSeq, kills.seq))
    .innerJoin(leases, eq(leases.id, killLeases.lease))
    .where(eq(kills.id, id))
    .groupBy(leases.containment)
    .all()
  const ofContainment = CONTAINMENTS.map((containment) => {
    const row = rows.find((one) => one.containment === containment)
    return [containment, row?.count ?? 0] as const
  })
  const since = rows.flatMap(({ oldest }) => oldest ?? [])
  const until = rows.flatMap(({ exposedUntil }) => exposedUntil ?? [])
  return {
    containments: Object.fromEntries(ofContainment) as KillProgress['containments'], // all of them
    remaining: rows.reduce((sum, { remaining }) => sum + remaining, 0),
    oldest: since.length === 0 ? undefined : Math.min(...since),
    exposedUntil: until.length === 0 ? undefined : Math.max(...until),
  }
}
