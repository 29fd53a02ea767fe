import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mayfly } from './run-mayfly.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const WAIT_MS = 15_000

let dir = ''
let file = ''
let child: ChildProcess
let env: Record<string, string> = {}
const said = { stdout: '', stderr: '' }

async function until<T>(find: () => T | null | undefined): Promise<T> {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(30)) {
    const found = find()
    if (found !== undefined && found !== null) return found
  }
  throw new Error(`waited in vain: ${JSON.stringify(said)}`)
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mayfly-serve-'))
  file = join(dir, 'b', 'mayfly.yaml')
  const { stdout } = await mayfly(['init', join(dir, 'b')])
  writeFileSync(file, readFileSync(file, 'utf8').replace('127.0.0.1:8700', '127.0.0.1:0'))
  const options = { PATH: '/usr/bin:/bin', DEBUG: '*', GOOGLE_SDK_NODE_LOGGING: '*' }
  child = spawn(process.execPath, [MAIN, 'serve', '-c', file], { env: options })
  child.stdout?.on('data', (data) => (said.stdout += data))
  child.stderr?.on('data', (data) => (said.stderr += data))
  const url = await until(() => /"url":"([^"]+)".*ready/.exec(said.stdout)?.[1])
  env = { MAYFLY_URL: url, MAYFLY_TOKEN: /mfo_[\w-]+/.exec(stdout)?.[0] ?? '' }
})
afterAll(() => {
  child.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

describe('serve', () => {
  it('runs what init wrote, for the operator whose token init showed', async () => {
    expect(await mayfly(['agents', 'ls'], env)).toMatchObject({ code: 0, stderr: '' })
    const stranger = await mayfly(['agents', 'ls'], { ...env, MAYFLY_TOKEN: 'mfo_x' })
    expect(stranger).toMatchObject({ code: 1, stderr: expect.stringContaining('MAYFLY_TOKEN') })
  })

  it('kills, blocks, lifts and proves its log', async () => {
    const killed = await mayfly(['kill', '--agent', 'a', '--reason', 'odd', '--json'], env)
    const { block } = JSON.parse(killed.stdout).kill
    expect((await mayfly(['blocks', 'ls'], env)).stdout).toContain(block)
    expect((await mayfly(['blocks', 'lift', block], env)).code).toBe(0)
    expect((await mayfly(['blocks', 'ls'], env)).stdout).toBe('nothing is blocked\n')
    expect((await mayfly(['audit', 'verify'], env)).stdout).toMatch(/^intact: \d+ events/)
  })

  it.runIf(existsSync('/proc/self/cmdline'))('P2: shows no arguments to the process list', () => {
    const line = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
    expect(line).toBe('mayfly')
  })

  it('P16: refuses a bad reload on SIGHUP with every problem, and lives on', async () => {
    const good = readFileSync(file, 'utf8')
    writeFileSync(file, `${good}\nlimits: { nope: 1 }\nnonsense: 1\n`)
    child.kill('SIGHUP')
    await until(() => (/limits\.nope/.test(said.stderr) ? true : undefined))
    expect(said.stderr).toContain('nonsense: unknown field')
    const line = said.stdout.split('\n').find((one) => one.includes('a reload was refused'))
    expect(JSON.parse(line ?? '{}')).toMatchObject({
      level: 50,
      problems: expect.arrayContaining([{ path: 'nonsense', message: 'unknown field' }]),
    })
    expect((await mayfly(['agents', 'ls'], env)).code).toBe(0)
    writeFileSync(file, good)
  })

  it('refuses a second broker on the same files', async () => {
    const second = spawn(process.execPath, [MAIN, 'serve', '-c', file], { env: {} })
    const [code] = await once(second, 'exit')
    expect(code).toBe(1)
  })

  it('stops on SIGTERM, with exit code 0', async () => {
    child.kill('SIGTERM')
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
    expect(code).toBe(0)
    expect(said.stdout).toContain('mayfly has stopped')
  })
})
