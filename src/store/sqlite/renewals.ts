import { SKEW_MS } from '../../model/lifetime.ts'
import type { LeaseStore } from '../store.ts'
import { and, eq, sql } from './drizzle.ts'
import { causeOf, type LearnMintFacts, type LeaseRooms } from './minted.ts'
import { leaseOf } from './rows.ts'
import { leases } from './schema.ts'
import { param, prepared } from './statement.ts'
import { isActive } from './states.ts'

type Renewals = Pick<LeaseStore, 'beginRenewal' | 'finishRenewal' | 'failRenewal'>

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
        latestPossibleExpiry: sql`min(${leases.latestPossibleExpiry}, ${leases.nativeExpiresAt} + ${SKEW_MS})`,
        exposedUntil: sql`${leases.nativeExpiresAt}`,
      })
      .where(and(eq(leases.id, param('id')), isActive)),
  )

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
            generation: row.generation + 1,
            latest_possible_expiry: new Date(latestPossibleExpiry).toISOString(),
          },
        })
        const after = moves.byId(id)
        return { ok: true, lease: leaseOf(after ?? row) }
      }),
    finishRenewal: (id, facts, now) =>
      commit.run((tx) => {
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
      }),
    failRenewal: (id, { error, outcome }) =>
      commit.run(() => {
        if (outcome === 'refused') takeBack.run({ id })
        settle.run({ id, error })
      }),
  }
}
