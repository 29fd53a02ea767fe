import { chmodSync, closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { shed } from './fixture.ts'

/** Overwrites pages of one table at rest, as a disk that rots would. */
async function withRot(table: string) {
  const one = shed()
  const task = await one.openTask()
  const leases = []
  for (let n = 0; n < 40; n += 1) leases.push(await one.active(task))
  await one.store.close()
  const sqlite = new Sqlite(one.path)
  sqlite.pragma('wal_checkpoint(TRUNCATE)')
  const size = Number(sqlite.pragma('page_size', { simple: true }))
  const page = sqlite
    .prepare('select rootpage from sqlite_master where name = ?')
    .pluck()
    .get(table)
  sqlite.close()
  const file = openSync(one.path, 'r+')
  writeSync(file, Buffer.alloc(size, 0xa5), 0, size, (Number(page) - 1) * size)
  closeSync(file)
  return { one, task, leases }
}

describe('P13: a database file that was damaged at rest', () => {
  it('is refused with what to do where nothing can be read, and is left as it is', async () => {
    const { one } = await withRot('sqlite_schema')
    const file = openSync(one.path, 'r+')
    writeSync(file, Buffer.alloc(4_096, 0xa5), 0, 4_096, 0)
    closeSync(file)
    const before = readFileSync(one.path)
    await expect(one.restart()).rejects.toThrow(/is damaged: restore a backup/)
    expect(readFileSync(one.path).equals(before)).toBe(true)
  })

  it('is refused where the record of times and leases is gone', async () => {
    const { one } = await withRot('meta')
    await expect(one.restart()).rejects.toThrow(/is damaged: restore a backup/)
  })

  it('still kills and ends where another table is damaged', async () => {
    const { one, leases } = await withRot('signals')
    await one.restart()
    await one.kill({ agent: 'summariser' })
    await one.advanceKills()
    for (const { id } of leases) expect(await one.lease(id)).toMatchObject({ state: 'ending' })
  })
})

describe('a database file that cannot be written', () => {
  it.skipIf(process.getuid?.() === 0)('is refused with what to do', async () => {
    const one = shed()
    await one.store.close()
    chmodSync(one.path, 0o400)
    await expect(one.restart()).rejects.toThrow('store.url')
  })
})
