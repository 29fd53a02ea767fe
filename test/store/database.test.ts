import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDatabase } from '../../src/store/sqlite/database.ts'

const MIGRATIONS = fileURLToPath(new URL('../../migrations/sqlite', import.meta.url))

describe('the database file', () => {
  let dir = ''
  let path = ''
  const open = () => openDatabase(path, MIGRATIONS).sqlite
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'mayfly-database-'))
    path = join(dir, 'data', 'mayfly.db')
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  it('is its owner’s alone, and opens again', () => {
    open().close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
    open().close()
  })

  it('is refused while another has it open', () => {
    const first = open()
    expect(open).toThrow(/another process has .* open/)
    first.close()
    open().close()
  })

  it.each([
    ['a newer mayfly', 'update __drizzle_migrations set created_at = created_at + 1'],
    ['another mayfly', 'update __drizzle_migrations set created_at = created_at - 1'],
  ])('written by %s is refused as it is', (who, change) => {
    open().close()
    const other = new Sqlite(path)
    other.exec(change)
    const content = other.serialize()
    other.close()
    expect(open).toThrow(`was written by ${who}; run that version`)
    const after = new Sqlite(path)
    expect(after.serialize()).toEqual(content)
    after.close()
  })
})
