import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite/index.ts'
import { MIGRATIONS } from '../fixture/empty-database.ts'
import { ManualTime } from '../fixture/time.ts'
import { shed } from './fixture.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const ROLE = 'arn:aws:iam::123456789012:role/agents'

/** Starts one process after another over the same database. */
function processes() {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-writer-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const [path, keysDir] = [join(dir, 'mayfly.db'), join(dir, 'keys')]
  const clockSource = new ManualTime()
  const life = async <T>(of: (store: ReturnType<typeof openSqliteStore>['store']) => T) => {
    const { store } = openSqliteStore({ path, keysDir, migrations: MIGRATIONS, clockSource })
    try {
      return await of(store)
    } finally {
      await store.close()
    }
  }
  return {
    path,
    life,
    pass: (ms: number) => clockSource.advance(ms),
    number: () => life(({ writer }) => writer.shardFor(ROLE)),
  }
}

test('P6: no process has the number of one of which something may still arrive upstream', async () => {
  const { number, pass } = processes()
  expect(await number()).toBe(0)
  expect(await number()).toBe(1)
  await pass(MINUTE)
  // 1 was alive until now, for all anybody knows.
  expect(await number()).toBe(2)
  await pass(MINUTE)
  expect(await number()).toBe(0)
  await pass(MINUTE)
  expect(await number()).toBe(1)
})

test('P8: 200 processes in 16 minutes need few numbers', async () => {
  const { number, pass } = processes()
  const seen = new Set<number>()
  for (let n = 0; n < 200; n += 1) {
    seen.add(await number())
    await pass(4.8 * SECOND)
  }
  expect(seen.size).toBeLessThanOrEqual(27)
})

test('P6: no process has the number of a document whose deletion may still arrive', async () => {
  const { life, number, pass } = processes()
  for (const expected of [0, 1, 2]) expect(await number()).toBe(expected)
  await pass(2 * MINUTE)
  // The document of process 1, which is long gone, is deleted just before this one falls, too.
  const by = { epoch: 1, shard: 1_001 }
  const fourth = await life(({ writer }) => [writer.shardFor(ROLE), writer.retire(ROLE, by)])
  expect(fourth).toEqual([0, true])
  expect(await number()).toBe(3)
  await pass(2 * MINUTE)
  for (const expected of [0, 1]) expect(await number()).toBe(expected)
})

test('P6: what is written in this process is not deleted, and what is being deleted not written', () => {
  const one = shed()
  const { writer } = one.store
  const { epoch } = writer
  expect(writer.shardFor(ROLE)).toBe(0)
  expect(writer.isWritten(ROLE, { epoch, shard: 0 })).toBe(true)
  expect(writer.retire(ROLE, { epoch, shard: 0 })).toBe(false)
  expect(writer.retire(ROLE, { epoch, shard: 1_000 })).toBe(true)
  expect(writer.shardFor(ROLE)).toBe(2_000)
  writer.leave(ROLE, 0)
  expect(writer.isWritten(ROLE, { epoch, shard: 0 })).toBe(false)
  expect(writer.retire(ROLE, { epoch, shard: 0 })).toBe(true)
  // Of another epoch nobody here writes anything.
  expect(writer.isWritten(ROLE, { epoch: epoch + 1, shard: 2_000 })).toBe(false)
})

test('P6: within a process every document of a place has a number of its own', async () => {
  const one = shed()
  const { writer } = one.store
  const numbers = [ROLE, ROLE, `${ROLE}-too`, ROLE].map((place) => writer.shardFor(place))
  expect(numbers).toEqual([0, 1_000, 0, 2_000])
})

test('P13: whoever cannot read who ran lately takes the number of none of them', async () => {
  const { path, number } = processes()
  const before = await number()
  const sqlite = new Sqlite(path)
  sqlite.prepare("update meta set value = '[null,' where key = 'writers'").run()
  sqlite.close()
  expect(await number()).toBeGreaterThan(before + 100)
})

test.each([
  ['as it is', '', true],
  ['before its own lease', 'latest_possible_expiry = 1', false],
  ['no number', "latest_possible_expiry = 'soon'", false],
  ['of a lease that may be renewed', "state = 'active'", false],
  ['of a lease whose state is unknown', "state = 'odd'", false],
])('P6, P13: a lease’s last expiry is told only where it is sure: %s', async (_, set, told) => {
  const one = shed()
  const lease = await one.active(await one.openTask())
  await one.store.close()
  const sqlite = new Sqlite(one.path)
  sqlite
    .prepare(
      `update leases set ${set.startsWith('state') ? set : `state = 'ending'${set && `, ${set}`}`}`,
    )
    .run()
  sqlite.close()
  await one.restart()
  expect(one.store.writer.latestExpiry(lease.upstreamName)).toBe(
    told ? lease.latestPossibleExpiry : undefined,
  )
})
