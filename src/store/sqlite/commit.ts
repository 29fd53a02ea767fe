import type BetterSqlite3 from 'better-sqlite3'
import { canonicalJson, hashCanonical } from '../../audit/chain.ts'
import type { AuditDraft } from '../../audit/events.ts'
import type { Clock } from '../../clock.ts'
import { MayflyError } from '../../errors.ts'
import { type Head, readHead } from './chain-head.ts'
import type { Db } from './database.ts'
import { audit } from './schema.ts'
import { insertStatement } from './statement.ts'

/** What a unit of work may do besides reading and writing rows. */
export interface Tx {
  /** Adds an event; it takes its place in the chain if this unit survives. */
  event(draft: AuditDraft): void
  /** Tells the timers and the ending queue, after the commit, that there is something to do. */
  nudge(): void
}

/** An event with its data written out, so that what cannot be written harms its own unit only. */
interface Written {
  readonly draft: AuditDraft
  readonly data: string
}

interface Unit {
  run(): Outcome
  refuse(error: unknown): void
}

/** What a unit that did not throw leaves: its events, and its answer for after the commit. */
interface Outcome {
  settle(): void
  readonly events: readonly Written[]
}

/** Turns of an idle event loop take microseconds; the fewest commits take a hundred. */
const TURNS_TO_WAIT = 10

/**
 * The one write path. Units submitted in the same turn of the event loop share a durable commit; one
 * that throws harms no other. If the commit fails all are refused and the head of the chain stays
 * where it was.
 */
export class GroupCommit {
  readonly #sqlite: BetterSqlite3.Database
  readonly #clock: Clock
  readonly #listeners: (() => void)[] = []
  readonly #committed: ((head: Head) => void)[] = []
  readonly #undone: (() => void)[] = []
  #waiting: Unit[] = []
  /** How many units the last commit held. */
  #together = 0
  #head: Head
  #nudged = false
  #closed = false
  readonly #insertEvent: (row: typeof audit.$inferInsert) => void
  readonly #statements: Record<
    'begin' | 'commit' | 'rollback' | 'savepoint' | 'release' | 'undo' | 'highWater',
    BetterSqlite3.Statement
  >

  constructor(sqlite: BetterSqlite3.Database, db: Db, clock: Clock) {
    this.#sqlite = sqlite
    this.#clock = clock
    this.#insertEvent = insertStatement(db, audit)
    this.#head = readHead(sqlite)
    this.#statements = {
      begin: sqlite.prepare('begin immediate'),
      commit: sqlite.prepare('commit'),
      rollback: sqlite.prepare('rollback'),
      savepoint: sqlite.prepare('savepoint unit'),
      release: sqlite.prepare('release unit'),
      undo: sqlite.prepare('rollback to unit'),
      highWater: sqlite.prepare(
        "insert into meta (key, value) values ('high_water', ?) on conflict (key) do update set value = excluded.value",
      ),
    }
  }

  get head(): Head {
    return this.#head
  }

  onWork(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Calls back after every durable commit, with the head of the chain. */
  onCommit(listener: (head: Head) => void): void {
    this.#committed.push(listener)
  }

  /** Calls back when something written was taken back: what was remembered of it is wrong. */
  onUndo(listener: () => void): void {
    this.#undone.push(listener)
  }

  /**
   * Runs `work` in the next group; resolves with its result once that is durable. It runs again if
   * another of its group throws: all it does is read and write here.
   */
  run<R>(work: (tx: Tx) => R): Promise<R> {
    return new Promise((resolve, refuse) => {
      if (this.#closed) return refuse(new MayflyError('unavailable', 'the store is closed'))
      const run = () => {
        const events: Written[] = []
        const result = work({
          event: (draft) => events.push({ draft, data: canonicalJson(draft.data) }),
          nudge: () => {
            this.#nudged = true
          },
        })
        return { settle: () => resolve(result), events }
      }
      if (this.#waiting.length === 0) this.#gather(TURNS_TO_WAIT)
      this.#waiting.push({ run, refuse })
    })
  }

  /** Commits what waits, then refuses everything that comes later. */
  close(): void {
    this.#flush()
    this.#closed = true
  }

  /**
   * Commits at the end of this turn of the event loop, or a few turns later while fewer wait than
   * were committed together last: where many ask at once they share the costly part, and where one
   * asks alone it waits for nobody.
   */
  #gather(turns: number): void {
    setImmediate(() => {
      if (turns > 0 && this.#waiting.length < this.#together) this.#gather(turns - 1)
      else this.#flush()
    })
  }

  #flush(): void {
    const units = this.#waiting
    this.#waiting = []
    if (units.length === 0) return
    this.#together = Math.max(units.length, this.#together - 1)
    for (const settle of this.#durably(units)) settle()
    if (this.#nudged) {
      this.#nudged = false
      for (const listener of this.#listeners) listener()
    }
  }

  /** Commits them; returns what is left to tell, which can take nothing back any more. */
  #durably(units: readonly Unit[]): (() => void)[] {
    const headBefore = this.#head
    try {
      const now = this.#clock.now()
      this.#statements.begin.run()
      const settle = this.#runAll(units, now)
      if (this.#head.seq === headBefore.seq) this.#statements.highWater.run(String(now))
      this.#statements.commit.run()
      return [...settle, ...this.#committed.map((listener) => () => listener(this.#head))]
    } catch (error) {
      this.#head = headBefore
      this.#rollBack()
      for (const listener of this.#undone) listener()
      const refusal = storeRefusal(error)
      return units.map((unit) => () => unit.refuse(refusal))
    }
  }

  /** A disk that fails may have ended the transaction by itself, or refuse even this. */
  #rollBack(): void {
    try {
      if (this.#sqlite.inTransaction) this.#statements.rollback.run()
    } catch {
      // The next `begin` fails on it, and its units are refused too: nothing is lost by waiting.
    }
  }

  /** All without savepoints, which cost a tenth of an issue; each in its own if one throws. */
  #runAll(units: readonly Unit[], now: number): (() => void)[] {
    const at = new Date(now).toISOString()
    const outcomes = this.#runTogether(units) ?? this.#runEach(units)
    for (const { events } of outcomes) for (const event of events) this.#link(event, now, at)
    return outcomes.map(({ settle }) => settle)
  }

  /** Undefined: one threw, and nothing of any is left. */
  #runTogether(units: readonly Unit[]): Outcome[] | undefined {
    try {
      return units.map((unit) => unit.run())
    } catch (error) {
      // A full disk or a failing one ends the whole transaction, not just this unit.
      if (!this.#sqlite.inTransaction) throw error
      this.#statements.rollback.run()
      for (const listener of this.#undone) listener()
      this.#statements.begin.run()
      return undefined
    }
  }

  #runEach(units: readonly Unit[]): Outcome[] {
    return units.map((unit) => {
      this.#statements.savepoint.run()
      try {
        return unit.run()
      } catch (error) {
        if (!this.#sqlite.inTransaction) throw error
        this.#statements.undo.run()
        for (const listener of this.#undone) listener()
        return { settle: () => unit.refuse(storeRefusal(error)), events: [] }
      } finally {
        if (this.#sqlite.inTransaction) this.#statements.release.run()
      }
    })
  }

  #link({ draft, data }: Written, now: number, at: string): void {
    const seq = this.#head.seq + 1
    const prev = this.#head.hash
    const { type, actor, tenant, task, lease } = draft
    const hash = hashCanonical(prev, { seq, at, type, actor, tenant, task, lease }, data)
    this.#insertEvent({
      seq,
      at: now,
      type,
      actor,
      tenant: tenant ?? null,
      task: task ?? null,
      lease: lease ?? null,
      dataJson: data,
      prev,
      hash,
    })
    this.#head = { seq, hash, at: now }
  }
}

function storeRefusal(error: unknown): unknown {
  if (error instanceof MayflyError) return error
  return new MayflyError('unavailable', 'the store could not commit; nothing was changed', {
    cause: error,
    retryAfterSeconds: 5,
  })
}
