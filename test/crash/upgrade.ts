import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Sqlite from 'better-sqlite3'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import type { Arena } from './arena.ts'
import { BrokerProcess } from './broker-process.ts'
import { Failpoints } from './failpoint-plan.ts'
import type { Check } from './verdict.ts'

const MIGRATIONS = fileURLToPath(new URL('../../migrations/sqlite', import.meta.url))
/** More than the longest upgrade has. */
const MOST_STATEMENTS = 500

/**
 * Takes what a life left back to earlier databases, and kills the upgrade of each before or after
 * every one of its statements, in turn: each start goes on from what the last one left, and in the
 * end every row is there as it was.
 */
export async function killUpgrades(arena: Arena, say: (line: string) => void): Promise<Check> {
  const problems: string[] = []
  let looked = 0
  for (const from of chosen(journalOf(MIGRATIONS).entries.length)) {
    const dir = olderInstallation(arena, from)
    const path = join(dir, 'data', 'mayfly.db')
    const failpoints = new Failpoints(dir)
    const columns = columnsOf(path)
    const before = rowsOf(path, columns)
    const start = (kill: Parameters<Failpoints['plan']>[0]) =>
      new BrokerProcess({ dir, env: arena.upstreams.env, failpoints: failpoints.plan(kill) })
    let killed = 0
    for (let nth = 1; nth < MOST_STATEMENTS; nth += 1) {
      const side = nth % 2 === 0 ? 'before' : 'after'
      // Whatever comes first: the statement, or else the end of the upgrade.
      const broker = start({ id: failpoints.statements, side, nth, orAfter: failpoints.migrate })
      const survived = await broker.ready().catch(() => undefined)
      await broker.kill()
      if (survived !== undefined || !broker.killed) {
        problems.push(`from ${from}: killed at statement ${nth}, it ended otherwise`)
        break
      }
      killed = nth
      if (failpoints.reached().includes(failpoints.migrate)) break
    }
    looked += killed
    for (const [table, rows] of rowsOf(path, columns)) {
      const old = before.get(table)
      if (old !== rows) problems.push(`from ${from}: ${table} is not what it was`)
    }
    const last = new BrokerProcess({ dir, env: arena.upstreams.env })
    await last.ready().catch((error) => problems.push(`from ${from}: ${String(error)}`))
    await last.kill()
    say(`an upgrade from migration ${from} was killed at ${killed} statements`)
  }
  return { name: 'an upgrade that is cut off can be repeated, and loses nothing', looked, problems }
}

/** The first, one in the middle and the last but one. */
function chosen(count: number): number[] {
  return [...new Set([1, Math.floor(count / 2), count - 1])]
}

/** A copy of the installation whose database is of `count` migrations, with the rows it can hold. */
function olderInstallation(arena: Arena, count: number): string {
  const dir = join(arena.dir, 'older')
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir)
  for (const name of ['mayfly.yaml', 'policies', 'data']) {
    cpSync(join(arena.dir, name), join(dir, name), { recursive: true })
  }
  const path = join(dir, 'data', 'mayfly.db')
  const newer = join(dir, 'newer.db')
  cpSync(path, newer)
  if (existsSync(`${path}-wal`)) cpSync(`${path}-wal`, `${newer}-wal`)
  for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
  const { sqlite } = openDatabase(path, firstMigrations(dir, count))
  sqlite.exec(`attach '${newer}' as newer`)
  for (const [table, own] of columnsIn(sqlite, 'main')) {
    const theirs = columnsIn(sqlite, 'newer').get(table) ?? []
    const common = own.filter((column) => theirs.includes(column)).map((column) => `"${column}"`)
    if (common.length === 0) continue
    const list = common.join(', ')
    sqlite.exec(
      `insert or replace into main."${table}" (${list}) select ${list} from newer."${table}"`,
    )
  }
  sqlite.close()
  for (const end of ['', '-wal', '-shm']) rmSync(`${newer}${end}`, { force: true })
  return dir
}

function firstMigrations(dir: string, count: number): string {
  const folder = join(dir, 'migrations')
  cpSync(MIGRATIONS, folder, { recursive: true })
  const journal = journalOf(folder)
  const shorter = { ...journal, entries: journal.entries.slice(0, count) }
  writeFileSync(join(folder, 'meta', '_journal.json'), JSON.stringify(shorter))
  return folder
}

function journalOf(folder: string): { entries: { tag: string }[] } {
  return JSON.parse(readFileSync(join(folder, 'meta', '_journal.json'), 'utf8'))
}

function columnsOf(path: string): Map<string, string[]> {
  const sqlite = new Sqlite(path)
  try {
    return columnsIn(sqlite, 'main')
  } finally {
    sqlite.close()
  }
}

function columnsIn(sqlite: Sqlite.Database, schema: string): Map<string, string[]> {
  const list = `select name from ${schema}.sqlite_master where type = 'table' and name not like '\\_\\_%' escape '\\' and name not like 'sqlite%'`
  // One text column each, as the statements say.
  const tables = sqlite.prepare(list).pluck().all() as string[]
  return new Map(
    tables.map((table) => [
      table,
      sqlite
        .prepare(`select name from pragma_table_info('${table}', '${schema}')`)
        .pluck()
        .all() as string[],
    ]),
  )
}

/** Every row of every table as text, in the columns given; without what each start counts. */
function rowsOf(
  path: string,
  columns: ReadonlyMap<string, readonly string[]>,
): Map<string, string> {
  const sqlite = new Sqlite(path)
  try {
    return new Map(
      [...columns]
        .filter(([table]) => table !== 'meta')
        .map(([table, names]) => {
          const list = names.map((name) => `"${name}"`).join(', ')
          const rows = sqlite.prepare(`select ${list} from "${table}" order by ${list}`).raw().all()
          return [table, JSON.stringify(rows)]
        }),
    )
  } finally {
    sqlite.close()
  }
}
