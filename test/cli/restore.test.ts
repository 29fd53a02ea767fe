import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { mayfly } from './run-mayfly.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** Each starts the broker up to five times, and a busy machine takes seconds for each. */
const OFTEN_STARTED = { timeout: 120_000 }

interface Serving {
  readonly url: string
  readonly log: () => string
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>
}

/** The real executable, until it is killed as by a crash. */
async function serving(file: string): Promise<Serving> {
  const child: ChildProcess = spawn(process.execPath, [MAIN, 'serve', '-c', file], {
    env: { PATH: '/usr/bin:/bin' },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let said = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => reject(new Error(said)))
    child.stdout?.on('data', (data) => {
      said += String(data)
      const line = said.split('\n').find((one) => one.includes('mayfly is ready'))
      if (line !== undefined) resolve(String(JSON.parse(line).url))
    })
  })
  return {
    url,
    log: () => said,
    kill: async (signal = 'SIGKILL') => {
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    },
  }
}

/** A broker of one's own, and where its database is. */
async function installed() {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-restore-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const made = await mayfly(['init', join(dir, 'b')])
  const token = /mfo_[\w-]+/.exec(`${made.stdout}${made.stderr}`)?.[0] ?? ''
  const file = join(dir, 'b', 'mayfly.yaml')
  const anchor = `audit: { anchor: file:${join(dir, 'anchor.jsonl')} }`
  const text = readFileSync(file, 'utf8').replace('127.0.0.1:8700', '127.0.0.1:0')
  return {
    file,
    token,
    data: join(dir, 'b', 'data'),
    backup: join(dir, 'backup'),
    configure: (how: 'anchored' | 'alone') =>
      writeFileSync(file, how === 'anchored' ? `${text}\n${anchor}\n` : text),
  }
}

const ready = async (url: string) =>
  (await (await fetch(`${url}/readyz`)).json()) as { status: string; withheld?: string }

/** Serves twice, and puts back what was copied in between. */
async function restoredBroker(
  house: Awaited<ReturnType<typeof installed>>,
  { files, ends }: { readonly files: RegExp; readonly ends: 'SIGKILL' | 'SIGTERM' },
) {
  const first = await serving(house.file)
  expect(await ready(first.url)).toEqual({ status: 'ready' })
  await first.kill()
  cpSync(house.data, house.backup, { recursive: true })
  const second = await serving(house.file)
  expect(await ready(second.url)).toEqual({ status: 'ready' })
  await second.kill(ends)
  for (const name of readdirSync(house.backup)) {
    if (!files.test(name)) continue
    rmSync(join(house.data, name), { recursive: true, force: true })
    cpSync(join(house.backup, name), join(house.data, name), { recursive: true })
  }
  return await serving(house.file)
}

it(
  'a broker whose database was put back says so, and an operator confirms it',
  OFTEN_STARTED,
  async () => {
    const house = await installed()
    house.configure('alone')
    const restored = await restoredBroker(house, { files: /^mayfly\.db/, ends: 'SIGKILL' })
    expect((await ready(restored.url)).withheld).toContain('an older database was put in place')
    const metrics = await (await fetch(`${restored.url}/metrics`)).text()
    expect(metrics).toContain('mayfly_restore_unconfirmed 1')
    await expect.poll(restored.log).toContain('"fix":"mayfly restore confirm"')

    const env = { MAYFLY_URL: restored.url, MAYFLY_TOKEN: house.token }
    expect((await mayfly(['restore', 'confirm'], env)).code).toBe(2)
    const confirmed = await mayfly(['restore', 'confirm', '--reason', 'the disk died'], env)
    expect(confirmed.code, confirmed.stderr).toBe(0)
    expect(confirmed.stdout).toContain(
      'confirmed: tasks can be opened and credentials issued again',
    )
    expect(await ready(restored.url)).toEqual({ status: 'ready' })
    const again = await mayfly(['restore', 'confirm', '--reason', 'again'], env)
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('409 conflict')])
  },
)

it(
  'where the whole host was put back, keys too, the anchor outside of it tells',
  OFTEN_STARTED,
  async () => {
    const house = await installed()
    house.configure('anchored')
    // At its stop a broker tells the anchor everything; one that is killed did so a minute ago.
    const restored = await restoredBroker(house, { files: /./, ends: 'SIGTERM' })
    expect((await ready(restored.url)).withheld).toBeDefined()
    await restored.kill()
    // It still waits, and after the confirmation the same anchor is no alarm any more.
    const waiting = await serving(house.file)
    expect((await ready(waiting.url)).withheld).toBeDefined()
    const env = { MAYFLY_URL: waiting.url, MAYFLY_TOKEN: house.token }
    expect((await mayfly(['restore', 'confirm', '--reason', 'moved'], env)).code).toBe(0)
    await waiting.kill()
    const later = await serving(house.file)
    expect(await ready(later.url)).toEqual({ status: 'ready' })
  },
)
