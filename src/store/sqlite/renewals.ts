import { SKEW_MS } from '../../model/lifetime.ts'
import type { LeaseStore } from '../store.ts'
import type { Tx } from './commit.ts'
import { decided } from './decisions.ts'
import { and, eq, sql } from './drizzle.ts'
import { causeOf, type LearnMintFacts, type LeaseRooms } from './minted.ts'
import { leaseOf } from './rows.ts'
import { leases } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isActive } from './states.ts'

interface Renewals extends Pick<LeaseStore, 'beginRenewal' | 'finishRenewal' | 'failRenewal'> {
  /**
   * Writes down how renewals ended whose own commit failed, so that their leases can be renewed
   * again. Their calls are over: nothing is asked twice at once. Returns how many.
   */
  settleOwed(limit: number): Promise<number>
}

/** A renewal's two commits: the later expiry before the upstream is asked, its answer after. */
export function renewals(rooms: LeaseRooms, learn: LearnMintFacts): Renewals {
  const { db, commit, moves, standing, record } = rooms
  const begin = prepared(
    db,
    db
      .update(leases)
      .set({
        renewing: 1,
        killSeq: param('killSeq'),
        decision: param('decision'),
        policyHash: param('policyHash'),
        latestPossibleExpiry: sql`max(${leases.latestPossibleExpiry}, ${sql.placeholder('latest')})`,
        exposedUntil: sql`max(${leases.exposedUntil}, ${sql.placeholder('latest')})`,
      })
      .where(and(eq(leases.id, param('id')), isActive, eq(leases.renewing, 0))),
  )
  const finish = prepared(
    db,
    db
      .update(leases)
      .set({ renewing: 0, generation: sql`${leases.generation} + 1` })
      .where(and(eq(leases.id, param('id')), isActive)),
  )
  const settle = prepared(
    db,
    db
      .update(leases)
      .set({ renewing: 0, lastError: param('error') })
      .where(eq(leases.id, param('id'))),
  )
  const takeBack = prepared(
    db,
    db
      .update(leases)
      .set({
        latestPossibleExpiry: sql`max(${sql.placeholder('latest')}, ${leases.nativeExpiresAt} + ${SKEW_MS})`,
        exposedUntil: sql`max(${sql.placeholder('exposed')}, ${leases.nativeExpiresAt})`,
      })
      .where(and(eq(leases.id, param('id')), isActive)),
  )

  /** By lease: the end of its renewal that could not be committed; a restart settles it otherwise. */
  const owed = new Map<string, (tx: Tx) => void>()
  const commitOrOwe = <R>(
    id: string,
    { now, later }: { now: (tx: Tx) => R; later: (tx: Tx) => void },
  ): Promise<R> =>
    commit.run(now).catch((error: unknown) => {
      owed.set(id, later)
      throw error
    })

  return {
    beginRenewal: ({ id, latestPossibleExpiry, decision, now }) =>
      commit.run((tx) => {
        const row = moves.byId(id)
        if (row?.state !== 'active' || row.expiresAt <= now) return { ok: false, why: 'not-active' }
        if (row.renewing === 1) return { ok: false, why: 'in-flight' }
        const subject = moves.subjectOf(row)
        const kill = standing.killSince(row.killSeq, () => subject)
        if (kill) {
          moves.end(tx, row, { cause: causeOf(kill), lane: 'kill', actor: 'mayfly', now })
          return { ok: false, why: 'not-active' }
        }
        const block = standing.blockAgainst(subject, now)
        if (block) return { ok: false, why: 'blocked', block }
        record(tx, decision, id)
        begin.run({
          id,
          killSeq: standing.latestKill(),
          decision: decision.id,
          policyHash: decision.policyHash,
          latest: latestPossibleExpiry,
        })
        tx.event({
          type: 'lease.renewing',
          actor: `agent:${row.agent}`,
          tenant: row.tenant,
          task: row.task,
          lease: id,
          data: {
            ...decided(decision),
            generation: row.generation + 1,
            latest_possible_expiry: new Date(latestPossibleExpiry).toISOString(),
          },
        })
        const after = moves.byId(id)
        return {
          ok: true,
          lease: leaseOf(after ?? row),
          before: {
            latestPossibleExpiry: row.latestPossibleExpiry,
            exposedUntil: row.exposedUntil,
          },
        }
      }),
    finishRenewal: (id, facts, now) =>
      commitOrOwe(id, {
        now: (tx) => {
          const before = learn(tx, { id, to: 'renewal', facts, now })
          const kill = standing.killSince(before.killSeq, () => moves.subjectOf(before))
          const ended = kill !== undefined || finish.run({ id }).changes === 0
          if (kill)
            moves.end(tx, before, { cause: causeOf(kill), lane: 'kill', actor: 'mayfly', now })
          if (!ended) {
            tx.event({
              type: 'lease.renewed',
              actor: 'mayfly',
              tenant: before.tenant,
              task: before.task,
              lease: id,
              data: {
                generation: before.generation + 1,
                expires_at: new Date(facts.expiresAt).toISOString(),
                native_expires_at: new Date(facts.nativeExpiresAt).toISOString(),
              },
            })
          }
          if (ended) tx.nudge()
          return { ok: !ended, lease: leaseOf(moves.byId(id) ?? before) }
        },
        // Its secret reached nobody, but it lives: an answer like one that came too late.
        later: (tx) => {
          learn(tx, { id, to: 'mint', facts, now })
          settle.run({ id, error: 'the answer to its renewal could not be written down' })
          tx.nudge()
        },
      }),
    failRenewal: (id, { error, outcome, before }) => {
      const write = () => {
        if (outcome === 'refused') {
          takeBack.run({ id, latest: before.latestPossibleExpiry, exposed: before.exposedUntil })
        }
        settle.run({ id, error })
      }
      return commitOrOwe(id, { now: write, later: write })
    },
    async settleOwed(limit) {
      const taken = [...owed].slice(0, limit)
      if (taken.length === 0) return 0
      for (const [id] of taken) owed.delete(id)
      const write = ([id, later]: (typeof taken)[number]) => commitOrOwe(id, { now: later, later })
      await Promise.all(taken.map(write))
      return taken.length
    },
  }
}
