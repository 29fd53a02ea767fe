import type { EndCause } from '../../model/lease.ts'
import type { MintFacts } from '../store.ts'
import type { ActiveCounts } from './active-counts.ts'
import type { ApprovalMoves } from './approval-moves.ts'
import type { GroupCommit, Tx } from './commit.ts'
import type { Db } from './database.ts'
import type { RecordDecision } from './decisions.ts'
import { and, eq, inArray, sql } from './drizzle.ts'
import type { LeaseMoves } from './lease-moves.ts'
import type { Lineage } from './lineage.ts'
import type { RiskNow } from './risk-now.ts'
import { type LeaseRow, laneRank } from './rows.ts'
import { leases } from './schema.ts'
import type { ShownTasks } from './shown-tasks.ts'
import type { Standing } from './standing.ts'
import { param, prepared } from './statement.ts'
import type { takingApproval } from './taking-approval.ts'
import type { Upstreams } from './upstreams.ts'

/** What the transitions of leases are built from. */
export interface LeaseRooms {
  readonly db: Db
  readonly commit: GroupCommit
  readonly moves: LeaseMoves
  readonly counts: ActiveCounts
  readonly lineage: Lineage
  readonly shown: ShownTasks
  readonly standing: Standing
  readonly risk: RiskNow
  readonly upstreams: Upstreams
  readonly record: RecordDecision
  readonly approvals: {
    readonly take: ReturnType<typeof takingApproval>
    readonly consume: ApprovalMoves['consume']
  }
  /** When this database last took its successor's place. */
  readonly restoredAt: number | undefined
}

/**
 * Writes down what a mint or renewal answered, whatever became of the lease meanwhile, and returns
 * the row as it was before. What lands after its end is chased again, now by its handle (P1).
 */
export type LearnMintFacts = (
  tx: Tx,
  answer: {
    readonly id: string
    readonly to: 'mint' | 'renewal'
    readonly facts: MintFacts
    readonly now: number
  },
) => LeaseRow

export function mintFacts(db: Db): LearnMintFacts {
  const byId = prepared(
    db,
    db
      .select()
      .from(leases)
      .where(eq(leases.id, param('id'))),
  )
  const learn = prepared(
    db,
    db
      .update(leases)
      .set({
        expiresAt: param('expiresAt'),
        nativeExpiresAt: param('native'),
        latestPossibleExpiry: param('latest'),
        exposedUntil: param('exposed'),
        handleJson: param('handle'),
        renewing: param('renewing'),
      })
      .where(eq(leases.id, param('id'))),
  )
  // What was seen to be refused before says nothing of what landed since.
  const chase = prepared(
    db,
    db
      .update(leases)
      .set({
        state: 'ending',
        containment: sql`case when ${leases.containment} in ('enforced', 'proved', 'unknown') then 'unknown' else 'pending' end`,
        proofJson: null,
        cause: sql`coalesce(${leases.cause}, 'unknown-outcome')`,
        endingSince: sql`coalesce(${leases.endingSince}, ${sql.placeholder('now')})`,
        endedAt: null,
        laneRank: sql`case when ${leases.laneRank} < ${laneRank('cleanup')} then ${leases.laneRank} else ${laneRank('end')} end`,
        dueAt: param('now'),
      })
      .where(and(eq(leases.id, param('id')), inArray(leases.state, ['ending', 'ended', 'failed']))),
  )

  return (tx, { id, to, facts, now }) => {
    const row = byId.get({ id })
    if (!row) throw new Error(`lease ${id} vanished while its mint was under way`)
    learn.run({ id, handle: JSON.stringify(facts.handle), ...timesOf(row, to, facts) })
    if (chase.run({ id, now }).changes > 0) tx.event(landed(row, facts))
    return row
  }
}

function timesOf(row: LeaseRow, to: 'mint' | 'renewal', facts: MintFacts) {
  const { expiresAt, nativeExpiresAt: native, latestPossibleExpiry: latest } = facts
  const renewing = to === 'renewal' ? 0 : row.renewing
  if (row.state !== 'active' || (to === 'renewal' && row.renewing === 1)) {
    return { expiresAt, native, latest, exposed: native, renewing }
  }
  // An answer nobody waits for any more: the lease lives to the expiry its holder was told (P5).
  return {
    expiresAt: row.expiresAt,
    native: Math.max(native, row.nativeExpiresAt ?? 0),
    latest: Math.max(latest, row.latestPossibleExpiry),
    exposed: Math.max(native, row.exposedUntil),
    renewing,
  }
}

function landed({ id, tenant, task, state, containment }: LeaseRow, facts: MintFacts) {
  return {
    type: 'lease.landed',
    actor: 'mayfly',
    tenant,
    task,
    lease: id,
    data: {
      state,
      ...(containment === null ? {} : { containment }),
      native_expires_at: new Date(facts.nativeExpiresAt).toISOString(),
    },
  } as const
}

/** Why a lease that a kill names ends. */
export function causeOf(kill: { readonly cause: string }): EndCause {
  return kill.cause === 'signal' ? 'signal' : 'killed'
}
