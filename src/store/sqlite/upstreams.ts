import type { AbandonedUpstream } from '../store.ts'
import type { Db } from './database.ts'
import { and, eq, isNotNull, sql } from './drizzle.ts'
import { writeMeta } from './meta.ts'
import { leases, meta } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isDead, isLive } from './states.ts'

/**
 * Which upstream each provider's name stands for. It changes only while no lease of that name is
 * unfinished, and nothing is reserved for another: so whatever is asked to end a lease is what
 * minted it, over reloads and restarts (P6).
 */
export interface Upstreams {
  /** Whether a lease of this upstream may be reserved under this provider's name. */
  isReached(provider: string, upstream: string): boolean
  /** Providers of unfinished leases that `next` lacks, or that reach another upstream in it. */
  abandonedIn(next: ReadonlyMap<string, string>): AbandonedUpstream[]
  /** From this transaction on `next` says what is reached; the caller has looked for abandoned ones. */
  adopt(next: ReadonlyMap<string, string>): void
  /** What is rolled back has to be forgotten, and is read anew. */
  forget(): void
}

const KEY = 'upstreams'

export function upstreamsOf(db: Db): Upstreams {
  const stored = prepared(db, db.select({ value: meta.value }).from(meta).where(eq(meta.key, KEY)))
  const { provider } = leases
  const ofProvider = eq(provider, param('provider'))
  // Indexes: leases_live, leases_due.
  const live = counting(db, and(ofProvider, isLive))
  const dead = counting(db, and(ofProvider, isNotNull(leases.dueAt), isDead))

  let known: ReadonlyMap<string, string> | undefined

  return {
    isReached(name, upstream) {
      const reached = recorded()
      return reached === undefined || reached.get(name) === upstream
    },
    abandonedIn(next) {
      const before = recorded()
      const used = new Set([...providersWith(isLive), ...providersWith(sql`due_at is not null`)])
      return [...used]
        .toSorted()
        .filter(
          (name) => !next.has(name) || (before?.get(name) ?? next.get(name)) !== next.get(name),
        )
        .map((name) => ({
          provider: name,
          upstream: before?.get(name),
          live: live(name),
          dead: dead(name),
        }))
    },
    adopt(next) {
      writeMeta(db.$client, KEY, JSON.stringify([...next]))
      known = new Map(next)
    },
    forget: () => {
      known = undefined
    },
  }

  /** Undefined: nobody has said yet. */
  function recorded(): ReadonlyMap<string, string> | undefined {
    const row = known === undefined ? stored.get() : undefined
    // Written above from the same type.
    if (row) known = new Map(JSON.parse(row.value) as [string, string][])
    return known
  }

  /** By index from one provider to the next: a start must not read what is alive. */
  function providersWith(state: ReturnType<typeof sql>): string[] {
    const rows = db.all<{ provider: string }>(sql`
      with recursive found (provider) as (
        select min(${provider}) from ${leases} where ${state}
        union all
        select (select min(${provider}) from ${leases}
          where ${state} and ${provider} > found.provider)
        from found where found.provider is not null
      )
      select provider from found where provider is not null`)
    return rows.map((row) => row.provider)
  }
}

function counting(db: Db, where: ReturnType<typeof and>): (provider: string) => number {
  const select = db.select({ n: sql<number>`count(*)` }).from(leases).where(where)
  const statement = prepared(db, select)
  return (provider) => statement.get({ provider })?.n ?? 0
}
