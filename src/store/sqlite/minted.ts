import type { EndCause } from '../../model/lease.ts'
import type { MintFacts } from '../store.ts'
import type { GroupCommit, Tx } from './commit.ts'
import type { Db } from './database.ts'
import type { RecordDecision } from './decisions.ts'
import { and, eq, inArray, sql } from './drizzle.ts'
import type { LeaseMoves } from './lease-moves.ts'
import { type LeaseRow, laneRank, param } from './rows.ts'
import { leases } from './schema.ts'
import type { Standing } from './standing.ts'

/** What the transitions of leases are built from. */
export interface LeaseRooms {
  readonly db: Db
  readonly commit: GroupCommit
  readonly moves: LeaseMoves
  readonly standing: Standing
  readonly record: RecordDecision
}

/** Writes down what a mint answered, whatever became of the lease meanwhile. */
export type LearnMintFacts = (tx: Tx, id: string, facts: MintFacts, now: number) => LeaseRow

export function mintFacts(db: Db): LearnMintFacts {
  const byId = db
    .select()
    .from(leases)
    .where(eq(leases.id, param('id')))
    .prepare()
  const learn = db
    .update(leases)
    .set({
      expiresAt: param('expiresAt'),
      nativeExpiresAt: param('native'),
      latestPossibleExpiry: param('latest'),
      exposedUntil: param('native'),
      handleJson: param('handle'),
    })
    .where(eq(leases.id, param('id')))
    .prepare()
  // What the upstream did after it had been told to refuse: chase it again, now by its handle.
  const chase = db
    .update(leases)
    .set({
      state: 'ending',
      containment: 'pending',
      proofJson: null,
      endedAt: null,
      laneRank: sql`coalesce(${leases.laneRank}, ${laneRank('end')})`,
      dueAt: param('now'),
    })
    .where(and(eq(leases.id, param('id')), inArray(leases.state, ['ending', 'ended', 'failed'])))
    .prepare()
  return (_tx, id, facts, now) => {
    const row = byId.get({ id })
    if (!row) throw new Error(`lease ${id} vanished between its reservation and its activation`)
    learn.run({
      id,
      expiresAt: facts.expiresAt,
      native: facts.nativeExpiresAt,
      latest: facts.latestPossibleExpiry,
      handle: JSON.stringify(facts.handle),
    })
    chase.run({ id, now })
    return row
  }
}

/** Why a lease that a kill names ends. */
export function causeOf(kill: { readonly cause: string }): EndCause {
  return kill.cause === 'signal' ? 'signal' : 'killed'
}
