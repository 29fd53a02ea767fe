import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Sqlite from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { mayfly, mayflyProcess } from './run-mayfly.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** Serves until it is ready, and is killed then. */
async function servedOnce(file: string, ...flags: string[]): Promise<void> {
  const child = spawn(process.execPath, [MAIN, 'serve', '-c', file, ...flags], {
    env: { PATH: '/usr/bin:/bin' },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let said = ''
  child.stdout.on('data', (data) => {
    said += String(data)
    if (said.includes('mayfly is ready')) child.kill('SIGKILL')
  })
  await once(child, 'exit')
  expect(said).toContain('mayfly is ready')
}

it('P5: serve asks about a clock years ahead of its database, and takes the operator’s word', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-accept-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  await mayfly(['init', join(dir, 'b')])
  const file = join(dir, 'b', 'mayfly.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('127.0.0.1:8700', '127.0.0.1:0'))
  await servedOnce(file)
  const sqlite = new Sqlite(join(dir, 'b', 'data', 'mayfly.db'))
  const past = Date.UTC(2020, 0, 1)
  sqlite.prepare("update meta set value = ? where key = 'high_water'").run(String(past))
  sqlite.prepare('update audit set at = ?').run(past)
  sqlite.close()

  const asked = await mayflyProcess(['serve', '-c', file])
  expect(asked.code).toBe(1)
  expect(asked.stderr).toContain('the last this database knew is 2020-01-01T00:00:00Z')
  const answer = /--accept-time (\S+?);/.exec(asked.stderr)?.[1] ?? ''
  expect(await mayflyProcess(['serve', '-c', file, '--accept-time', 'now'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--accept-time "now" must be a time like'),
  })
  await servedOnce(file, '--accept-time', answer)
  await servedOnce(file)
}, 60_000)
