import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AuditDraft } from '../../src/audit/events.ts'
import { type ChainedEvent, ChainVerifier } from '../../src/audit/verify.ts'
import { steadyClock } from '../../src/clock.ts'
import { GroupCommit, type Tx } from '../../src/store/sqlite/commit.ts'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { MIGRATIONS } from '../fixture/empty-database.ts'
import { ManualTime } from '../fixture/time.ts'
import { chain, shed } from './fixture.ts'

const note = (n: number): AuditDraft => ({
  type: 'broker.started',
  actor: 'mayfly',
  data: { n, nested: { z: 1, a: [n] } },
})

/** The write path alone, over a table of its own whose rows show what was kept. */
function path() {
  const { sqlite, db } = openDatabase(':memory:', MIGRATIONS)
  onTestFinished(() => void sqlite.close())
  const commit = new GroupCommit(sqlite, db, steadyClock(new ManualTime(), 0))
  sqlite.exec('create table kept (n integer primary key)')
  const insert = sqlite.prepare('insert into kept values (?)')
  const kept = (): unknown[] => sqlite.prepare('select n from kept order by n').pluck().all()
  const seqs = (): unknown[] => sqlite.prepare('select seq from audit order by seq').pluck().all()
  return { sqlite, commit, insert, kept, seqs }
}

function verify(events: readonly ChainedEvent[]) {
  const verifier = new ChainVerifier()
  for (const event of events) verifier.add(event)
  return verifier.result()
}

describe('a group', () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve))

  it('waits a moment for as many as there were last, and alone for nobody', async () => {
    const { commit, insert } = path()
    const groups: string[] = []
    commit.onCommit(() => groups.push('commit'))
    const add = (n: number) => commit.run(() => void insert.run(n)).then(() => groups.push(`${n}`))
    await Promise.all([add(1), add(2)])
    const late = [add(3)]
    await turn()
    late.push(add(4))
    await Promise.all(late)
    await add(5)
    await add(6)
    const together = ['commit', '1', '2', 'commit', '3', '4']
    expect(groups).toEqual([...together, 'commit', '5', 'commit', '6'])
    const began = performance.now()
    for (let n = 7; n < 27; n += 1) await add(n)
    expect(performance.now() - began).toBeLessThan(1_000)
  })

  it('that is smaller than the last is committed all the same', async () => {
    const { commit, insert, kept } = path()
    await Promise.all([1, 2, 3].map((n) => commit.run(() => void insert.run(n))))
    await commit.run(() => void insert.run(4))
    expect(kept()).toEqual([1, 2, 3, 4])
  })
})

describe('P12: a unit of work', () => {
  it('that throws leaves no row, no event and no gap, and harms no other of its group', async () => {
    const { commit, insert, kept, seqs } = path()
    const work = (n: number) => (tx: Tx) => {
      insert.run(n)
      tx.event(note(n))
      if (n % 3 === 0) throw new Error('no')
      return n
    }
    const all = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => commit.run(work(n))))
    expect(all.map((one) => one.status === 'fulfilled')).toEqual(
      Array.from({ length: 10 }, (_, n) => n % 3 !== 0),
    )
    expect(all[0]).toMatchObject({ reason: { code: 'unavailable' } })
    expect(kept()).toEqual([1, 2, 4, 5, 7, 8])
    expect(seqs()).toEqual([1, 2, 3, 4, 5, 6])
    expect(commit.head.seq).toBe(6)
  })

  it('whose event cannot be written harms no other either', async () => {
    const { commit, insert, kept } = path()
    const bad = { ...note(1), data: { number: Number.NaN } }
    const [first, second] = await Promise.allSettled([
      commit.run((tx) => {
        insert.run(1)
        tx.event(bad)
      }),
      commit.run((tx) => {
        insert.run(2)
        tx.event(note(2))
      }),
    ])
    expect([first?.status, second?.status]).toEqual(['rejected', 'fulfilled'])
    expect(kept()).toEqual([2])
    expect(commit.head.seq).toBe(1)
  })

  it('answers only when it is durable, in the order it was given', async () => {
    const { commit } = path()
    const order: number[] = []
    await Promise.all([1, 2, 3].map((n) => commit.run(() => n).then((done) => order.push(done))))
    expect(order).toEqual([1, 2, 3])
  })
})

describe('P12: a commit that fails', () => {
  it('refuses all of its group, keeps the head, and lets the next one follow', async () => {
    const { sqlite, commit, insert, kept } = path()
    await commit.run((tx) => tx.event(note(0)))
    const before = commit.head
    // A deferred constraint is only looked at by the commit itself.
    sqlite.exec(`
      pragma foreign_keys = on;
      create table child (n integer references kept (n) deferrable initially deferred)`)
    const orphan = sqlite.prepare('insert into child values (99)')
    const all = await Promise.allSettled([
      commit.run((tx) => {
        insert.run(1)
        tx.event(note(1))
      }),
      commit.run((tx) => {
        orphan.run()
        tx.event(note(2))
      }),
    ])
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(kept()).toEqual([])
    expect(commit.head).toEqual(before)
    await commit.run((tx) => tx.event(note(3)))
    expect(commit.head.seq).toBe(before.seq + 1)
  })

  it('because the disk is full changes nothing, and is over when there is room again', async () => {
    const { sqlite, commit } = path()
    const bulk: AuditDraft = { ...note(1), data: { text: 'x'.repeat(100_000) } }
    sqlite.pragma(`max_page_count = ${sqlite.pragma('page_count', { simple: true })}`)
    const all = await Promise.allSettled(
      Array.from({ length: 5 }, () => commit.run((tx) => tx.event(bulk))),
    )
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['rejected']))
    expect(all[0]).toMatchObject({ reason: { code: 'unavailable', retryAfterSeconds: 5 } })
    expect(commit.head.seq).toBe(0)
    sqlite.pragma('max_page_count = 1000000')
    await commit.run((tx) => tx.event(bulk))
    expect(commit.head.seq).toBe(1)
  })

  it('and cannot even be rolled back still refuses its units instead of crashing', async () => {
    const { sqlite, commit } = path()
    const refused = commit.run((tx) => tx.event(note(1)))
    sqlite.close()
    await expect(refused).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('P12: the chain of a store', () => {
  it('holds every decision and every state change of a lease, in order, and verifies', async () => {
    const one = shed()
    const task = await one.openTask()
    const lease = await one.active(task)
    await one.end(lease)
    const now = one.clock.now()
    const { id, handle } = lease
    const order = { id, handle, exposedUntil: now, nextDue: null, now }
    const proof = { method: 'lookup', at: now }
    await one.store.endings.contained({ ...order, containment: 'proved', proof })
    const end = { cause: 'ended', outcome: 'completed', actor: 'mayfly', now } as const
    await one.store.tasks.end({ id: task.id, ...end })
    const events = await chain(one.store)
    expect(events.map((event) => event.type)).toEqual([
      'task.opened',
      'lease.reserved',
      'lease.activated',
      'lease.ending',
      'lease.ended',
      'task.ended',
    ])
    expect(verify(events)).toMatchObject({ ok: true, events: 6 })
    expect((await one.store.audit.head()).hash).toBe(events.at(-1)?.hash)
  })

  it('goes on after a restart where it ended', async () => {
    const one = shed()
    await one.openTask()
    await one.restart()
    await one.openTask()
    expect(verify(await chain(one.store))).toMatchObject({ ok: true, events: 2 })
  })

  it('shows what somebody did to its rows', async () => {
    const one = shed()
    for (let n = 0; n < 6; n += 1) await one.openTask()
    const tamper = async (statement: string) => {
      await one.behind((sqlite) => sqlite.exec(statement))
      return verify(await chain(one.store)).problems[0]
    }
    expect(await tamper('select 1')).toBeUndefined()
    const changed = "update audit set actor = 'agent:nobody' where seq = 4"
    expect(await tamper(changed)).toBe('event 4: was changed')
    expect(await tamper('delete from audit where seq = 2')).toBe('event 3: expected number 2')
  })

  it('heartbeats write no event: nobody can force the log to grow', async () => {
    const one = shed()
    const task = await one.openTask({ heartbeatSeconds: 10 })
    const before = (await one.store.audit.head()).seq
    for (let n = 0; n < 20; n += 1) await one.store.tasks.heartbeat(task.id, one.clock.now())
    expect((await one.store.audit.head()).seq).toBe(before)
  })

  it('survives any mixture of units that work and units that throw', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ events: fc.nat(3), throws: fc.boolean(), turn: fc.boolean() }), {
          maxLength: 40,
        }),
        async (units) => {
          const { sqlite, commit } = path()
          const expected = units
            .filter((unit) => !unit.throws)
            .reduce((sum, unit) => sum + unit.events, 0)
          const runs: Promise<unknown>[] = []
          for (const unit of units) {
            const run = commit.run((tx) => {
              for (let n = 0; n < unit.events; n += 1) tx.event(note(n))
              if (unit.throws) throw new Error('no')
            })
            runs.push(run.catch(() => undefined))
            if (unit.turn) await run.catch(() => undefined)
          }
          await Promise.all(runs)
          expect(commit.head.seq).toBe(expected)
          const seqs: unknown[] = sqlite.prepare('select seq from audit order by seq').pluck().all()
          expect(seqs).toEqual(Array.from({ length: expected }, (_, n) => n + 1))
        },
      ),
      { numRuns: 25 },
    )
  })
})
