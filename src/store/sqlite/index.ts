import type BetterSqlite3 from 'better-sqlite3'
import { type ClockSource, type SureClock, steadyClock } from '../../clock.ts'
import { MayflyError } from '../../errors.ts'
import type { Store } from '../store.ts'
import { actStore } from './act-permits.ts'
import { activeCounts } from './active-counts.ts'
import { approvalMoves } from './approval-moves.ts'
import { approvalWaiting } from './approval-waiting.ts'
import { approvalStore } from './approvals.ts'
import { auditStore } from './audit.ts'
import { GroupCommit } from './commit.ts'
import { explainDamage, openDatabase } from './database.ts'
import { decisionStore, recordDecision } from './decisions.ts'
import { delegationStore } from './delegations.ts'
import { driftStore } from './drift.ts'
import { endingStore } from './endings.ts'
import { takeEpoch } from './epoch.ts'
import { killStore } from './kills.ts'
import { refuseLeap } from './leap.ts'
import { leaseMoves } from './lease-moves.ts'
import { leaseStore } from './leases.ts'
import { lineage as lineageOf } from './lineage.ts'
import { readMeta, writeMeta } from './meta.ts'
import { receiptStore } from './receipts.ts'
import { noteRestored, readRestoration, restorationStore } from './restoration.ts'
import { riskNow } from './risk-now.ts'
import { shownTasks } from './shown-tasks.ts'
import { signalStore } from './signals.ts'
import { standing as standingOf } from './standing.ts'
import { takingApproval } from './taking-approval.ts'
import { taskStore } from './tasks.ts'
import { upstreamWriter } from './upstream-writer.ts'
import { upstreamsOf } from './upstreams.ts'
import { watching } from './watch.ts'

export interface OpenStore {
  readonly store: Store
  /** The broker's clock: never behind anything this store has recorded. */
  readonly clock: SureClock
}

/**
 * Opens the embedded store: one process, one file, private to its user.
 * `keysDir` holds the generation that tells a restored database from a continued one.
 */
export function openSqliteStore(options: {
  readonly path: string
  readonly keysDir: string
  readonly migrations: string
  readonly clockSource: ClockSource
  /** What an operator says the time is: believed where the host's clock leapt ahead and agrees. */
  readonly acceptTime?: number | undefined
  /** The last event that an anchor outside of this host knows of: it must be in this database. */
  readonly witness?: { readonly seq: number; readonly hash: string } | undefined
}): OpenStore {
  const opened = openDatabase(options.path, options.migrations)
  try {
    return buildStore(opened, options)
  } catch (error) {
    opened.sqlite.close()
    throw explainDamage(error, options.path)
  }
}

function buildStore(
  { sqlite, db }: ReturnType<typeof openDatabase>,
  options: Pick<
    Parameters<typeof openSqliteStore>[0],
    'keysDir' | 'clockSource' | 'acceptTime' | 'witness'
  >,
): OpenStore {
  const highWater = readHighWater(sqlite)
  const { clockSource, acceptTime: confirmed } = options
  refuseLeap({ wall: clockSource.wall(), highWater, confirmed })
  const clock = steadyClock(clockSource, highWater)
  const commit = new GroupCommit(sqlite, db, clock)
  const now = clock.now()
  const generation = takeEpoch(sqlite, options.keysDir, {
    head: commit.head,
    witness: options.witness,
    onRestored: () => noteRestored(sqlite, now),
  })
  const { epoch } = generation
  commit.onCommit(generation.reached)
  const found = readRestoration(sqlite, now)
  const restoredAt = found?.at
  const lineage = lineageOf(db)
  const counts = activeCounts(db)
  commit.onUndo(counts.forget)
  const moves = leaseMoves(db, { lineage, counts })
  const watch = watching(sqlite, commit)
  const standing = standingOf(db, watch)
  const risk = riskNow(db, watch)
  const upstreams = upstreamsOf(db)
  commit.onUndo(upstreams.forget)
  const record = recordDecision(db)
  const waiting = approvalWaiting(commit)
  const approvals = approvalMoves(db, { lineage, waiting, epoch })
  const take = takingApproval({ db, moves: approvals, record, epoch })
  const delegations = delegationStore({ db, commit, lineage, standing, record, restoredAt })
  const shown = shownTasks(watch)
  const tasks = taskStore({
    db,
    commit,
    shown,
    moves,
    counts,
    approvals,
    lineage,
    standing,
    record,
    delegations,
    restoredAt,
  })
  const kills = killStore({ db, commit, moves, approvals, standing, endTask: tasks.endWithin })
  const store: Store = {
    tasks,
    delegations,
    approvals: approvalStore({ db, commit, moves: approvals, waiting, epoch }),
    leases: leaseStore({
      db,
      commit,
      moves,
      counts,
      lineage,
      shown,
      standing,
      risk,
      upstreams,
      record,
      approvals: { take, consume: approvals.consume },
      restoredAt,
    }),
    endings: endingStore({ db, commit, moves }),
    drift: driftStore({ db, commit, moves }),
    kills,
    signals: signalStore({ db, commit, risk, approvals, orderKill: kills.orderWithin }),
    decisions: decisionStore(db, commit, record),
    acts: actStore({ db, commit, lineage, shown, standing, risk, record }),
    audit: auditStore(db, commit),
    receipts: receiptStore(db),
    ...restorationStore({ sqlite, commit, epoch, orderKill: kills.orderWithin }, found),
    epoch,
    writer: upstreamWriter(db, { epoch, restoredAt, now }),
    highWater,
    async enforcedWorld() {
      return readMeta(sqlite, 'enforced_world')
    },
    noteEnforced: (world) => commit.run(() => writeMeta(sqlite, 'enforced_world', world)),
    async abandonedUpstreams(next) {
      return upstreams.abandonedIn(next)
    },
    adoptUpstreams: (next, events) =>
      commit.run((tx) => {
        const abandoned = upstreams.abandonedIn(next)
        if (abandoned.length > 0) return abandoned
        upstreams.adopt(next)
        for (const event of events) tx.event(event)
        return []
      }),
    onWork: (listener) => commit.onWork(listener),
    ready: () => commit.run(() => undefined),
    async close() {
      commit.close()
      if (!sqlite.open) return
      generation.close()
      sqlite.close()
    },
  }
  return { store, clock }
}

function readHighWater(sqlite: BetterSqlite3.Database): number {
  // A commit with events needs no mark of its own: they bear its time.
  const lastEvent = sqlite
    .prepare(
      "select at from audit where typeof(at) = 'integer' and at < 8.64e15 order by seq desc limit 1",
    )
    .pluck()
    .get()
  const highWater = Math.max(Number(readMeta(sqlite, 'high_water') ?? 0), Number(lastEvent ?? 0))
  if (Number.isSafeInteger(highWater)) return highWater
  throw new MayflyError(
    'config_invalid',
    'store.url: the time recorded in the database is unreadable; restore a backup',
  )
}
