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
