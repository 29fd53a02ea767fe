import { execFile } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import Sqlite from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite/index.ts'
import { MIGRATIONS } from '../fixture/empty-database.ts'
import { ManualTime } from '../fixture/time.ts'
import { shed } from './fixture.ts'

const DAY = 86_400_000

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-database-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

function open(dir: string, keysDir = join(dir, 'keys')) {
  const clockSource = new ManualTime()
  const path = join(dir, 'data', 'mayfly.db')
  const { store } = openSqliteStore({ path, keysDir, migrations: MIGRATIONS, clockSource })
  onTestFinished(() => store.close())
  return store
}

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

describe('the database file', () => {
  it('P2: is private to its user, with its log and its keys', async () => {
    const one = shed()
    await one.openTask()
    expect(modeOf(dirname(one.path))).toBe('700')
    expect(modeOf(one.keysDir)).toBe('700')
    for (const name of readdirSync(dirname(one.path))) {
      expect([name, modeOf(join(dirname(one.path), name))]).toEqual([name, '600'])
    }
    for (const name of readdirSync(one.keysDir)) {
      expect([name, modeOf(join(one.keysDir, name))]).toEqual([name, '600'])
    }
  })

  it('P2: is made private when it was not', async () => {
    const one = shed()
    await one.store.close()
    chmodSync(one.path, 0o644)
    await one.restart()
    expect(modeOf(one.path)).toBe('600')
  })

  it('is refused to a second process, with what to do', async () => {
    const one = shed()
    const lease = await one.active(await one.openTask())
    const index = new URL('../../src/store/sqlite/index.ts', import.meta.url).href
    const script = `
      import { openSqliteStore } from ${JSON.stringify(index)}
      const clockSource = { wall: Date.now, monotonic: () => 0, after: () => () => {} }
      const [path, keysDir, migrations] = process.argv.slice(1)
      try {
        openSqliteStore({ path, keysDir, migrations, clockSource })
        console.log('opened')
      } catch (error) {
        console.log(error.code, error.message)
      }`
    const argv = ['--input-type=module', '-e', script, one.path, one.keysDir, MIGRATIONS]
    const { stdout } = await promisify(execFile)(process.execPath, argv, { timeout: 15_000 })
    expect(stdout).toContain('config_invalid store.url: another process has')
    expect(stdout).toContain('only one mayfly may use a database')
    expect((await one.lease(lease.id)).state).toBe('active')
    await one.end(lease)
  })

  it('of a newer version is refused unchanged', async () => {
    const one = shed()
    await one.openTask()
    await one.store.close()
    const sqlite = new Sqlite(one.path)
    sqlite.exec("insert into __drizzle_migrations (hash, created_at) values ('future', 9e12)")
    sqlite.close()
    const before = readFileSync(one.path)
    const kept = readFileSync(join(one.keysDir, 'generation.json'))
    await expect(one.restart()).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('written by a newer mayfly'),
    })
    expect(readFileSync(one.path).equals(before)).toBe(true)
    expect(readFileSync(join(one.keysDir, 'generation.json')).equals(kept)).toBe(true)
  })

  it('that is no database is refused with its path', () => {
    const dir = directory()
    const path = join(dir, 'mayfly.db')
    writeFileSync(path, 'this is no database, but it is long enough to look at '.repeat(50))
    const clockSource = new ManualTime()
    const options = { path, keysDir: join(dir, 'keys'), migrations: MIGRATIONS, clockSource }
    expect(() => openSqliteStore(options)).toThrow(`${path} is damaged: restore a backup`)
  })

  it('P5: whose recorded time cannot be read is refused, and let go of', async () => {
    const one = shed()
    await one.store.close()
    const damage = (value: string) => {
      const sqlite = new Sqlite(one.path)
      sqlite.prepare("insert or replace into meta values ('high_water', ?)").run(value)
      sqlite.close()
    }
    damage('yesterday')
    await expect(one.restart()).rejects.toThrow('the time recorded in the database is unreadable')
    damage('0')
    await one.restart()
  })
})

describe('P5: the time a store has known', () => {
  it('is not forgotten over a restart with the clock set back', async () => {
    const one = shed()
    await one.openTask()
    await one.time.advance(60_000)
    await one.store.ready()
    const known = one.clock.now()
    one.time.stepWall(-86_400_000)
    await one.restart()
    expect(one.store.highWater).toBe(known)
    expect(one.clock.now()).toBe(known)
    expect(one.clock.earliest()).toBe(known - 86_400_000)
  })

  it('goes on with the wall clock when that is ahead', async () => {
    const one = shed()
    await one.openTask()
    await one.store.close()
    await one.time.advance(60_000)
    const { time } = one
    await one.restart()
    expect(one.clock.now()).toBe(time.wall())
  })
})

describe('P5: a wall clock years ahead at start', () => {
  const YEARS = 3 * 365 * DAY
  const CLOCK = '2030-01-14T12:00:00Z'

  async function ahead(ms = YEARS) {
    const one = shed()
    await one.openTask()
    await one.store.close()
    one.time.stepWall(ms)
    const { path, keysDir } = one
    const start = (accepted?: string) => {
      const acceptTime = accepted === undefined ? undefined : Date.parse(accepted)
      const options = { path, keysDir, migrations: MIGRATIONS, clockSource: one.time, acceptTime }
      const opened = openSqliteStore(options)
      onTestFinished(() => opened.store.close())
      return opened
    }
    return { time: one.time, start }
  }

  it('is asked about, with both times and what to do, and forgotten once it is set right', async () => {
    const { time, start } = await ahead()
    expect(() => start()).toThrow(
      expect.objectContaining({
        code: 'config_invalid',
        message: expect.stringMatching(
          `says ${CLOCK}, but the last this database knew is 2027-01-15T12:00:00Z; if .*--accept-time ${CLOCK}`,
        ),
      }),
    )
    time.stepWall(-YEARS)
    const { clock, store } = start()
    await store.ready()
    expect(clock.now()).toBe(time.wall())
  })

  it('is believed where an operator says the same time, and then for good', async () => {
    const { time, start } = await ahead()
    const { store, clock } = start('2030-01-14T13:30:00+01:00')
    expect(clock.now()).toBe(time.wall())
    await store.ready()
    await store.close()
    expect(start().store.highWater).toBe(time.wall())
  })

  it('is not believed for a time that was confirmed another day', async () => {
    const { start } = await ahead()
    expect(() => start('2027-01-15T12:00:00Z')).toThrow('--accept-time says 2027-01-15T12:00:00Z')
  })

  it('is no question after a stop over the holidays', async () => {
    const { time, start } = await ahead(13 * DAY)
    expect(start('2001-01-01T00:00:00Z').clock.now()).toBe(time.wall())
  })
})

describe('the epoch of a writer', () => {
  it('stays the same over restarts', async () => {
    const dir = directory()
    for (let n = 0; n < 5; n += 1) {
      const store = open(dir)
      expect(store.epoch).toBe(1)
      await store.audit.append([{ type: 'broker.started', actor: 'mayfly', data: {} }])
      await store.close()
    }
  })

  it('rises when an older database is put back, once', async () => {
    const dir = directory()
    await open(dir).close()
    cpSync(join(dir, 'data'), join(dir, 'backup'), { recursive: true })
    await open(dir).close()
    rmSync(join(dir, 'data'), { recursive: true })
    cpSync(join(dir, 'backup'), join(dir, 'data'), { recursive: true })
    const restored = open(dir)
    expect(restored.epoch).toBe(2)
    await restored.close()
    expect(open(dir).epoch).toBe(2)
  })

  it('rises when the copy was made earlier in the same run', async () => {
    const one = shed()
    await one.openTask()
    cpSync(dirname(one.path), join(one.dir, 'backup'), { recursive: true })
    await one.time.advance(2_000)
    await one.openTask()
    await one.store.close()
    rmSync(dirname(one.path), { recursive: true })
    cpSync(join(one.dir, 'backup'), dirname(one.path), { recursive: true })
    await one.restart()
    expect(one.store.epoch).toBe(2)
  })

  it('rises when that run was killed', async () => {
    const one = shed()
    await one.openTask()
    const copy = (name: string) => {
      cpSync(dirname(one.path), join(one.dir, name), { recursive: true })
    }
    copy('backup')
    await one.time.advance(2_000)
    await one.openTask()
    cpSync(one.keysDir, join(one.dir, 'killed-keys'), { recursive: true })
    cpSync(join(one.dir, 'backup'), join(one.dir, 'killed', 'data'), { recursive: true })
    expect(open(join(one.dir, 'killed'), join(one.dir, 'killed-keys')).epoch).toBe(2)
  })

  it('stays the same after a crash, also between the two places it is counted in', async () => {
    const one = shed()
    await one.openTask()
    await one.time.advance(2_000)
    await one.openTask()
    const crashed = join(one.dir, 'crashed')
    cpSync(dirname(one.path), join(crashed, 'data'), { recursive: true })
    cpSync(one.keysDir, join(crashed, 'keys'), { recursive: true })
    const store = open(crashed)
    expect(store.epoch).toBe(1)
    await store.close()
    const between = join(one.dir, 'between')
    cpSync(join(crashed, 'data'), join(between, 'data'), { recursive: true })
    cpSync(one.keysDir, join(between, 'keys'), { recursive: true })
    expect(open(between).epoch).toBe(1)
  })

  it('stays the same when the very first start crashed before it was counted outside', async () => {
    const dir = directory()
    await open(dir).close()
    rmSync(join(dir, 'keys'), { recursive: true })
    expect(open(dir).epoch).toBe(1)
  })

  it('rises when what was kept outside is gone or unreadable: the database may be an old one', async () => {
    const dir = directory()
    await open(dir).close()
    await open(dir).close()
    rmSync(join(dir, 'keys'), { recursive: true })
    await open(dir).close()
    writeFileSync(join(dir, 'keys', 'generation.json'), '')
    expect(open(dir).epoch).toBe(3)
  })
})
