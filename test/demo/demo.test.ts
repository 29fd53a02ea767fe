import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Report } from './report.ts'

const DEMO = fileURLToPath(new URL('./demo.ts', import.meta.url))
const PATIENCE_MS = 60_000

/** Where the demo makes its own directory: whatever it leaves is found here. */
let temporary: string
let running: ChildProcess | undefined

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'mayfly-demo-test-'))
})
afterEach(() => {
  running?.kill('SIGKILL')
  running = undefined
  rmSync(temporary, { recursive: true, force: true })
})

describe('npm run demo -- --json', () => {
  it('prints one document in which everything happened, and leaves nothing', async () => {
    const { code, stdout, stderr } = await finished(start(['--json']))
    expect(stderr).toBe('')
    const report = documentOf(stdout)
    expect(report.steps.filter(({ ok }) => !ok)).toEqual([])
    expect(report.steps.map(({ name }) => name)).toContain(
      'the task ends and stolen credentials die',
    )
    expect(report).toMatchObject({
      ok: true,
      providers: {
        aws: { containment: 'enforced', simulated: true },
        vault: { containment: 'proved', simulated: false },
        gcp: { containment: 'enforced', simulated: true },
      },
      audit: { verified: true },
    })
    expect(report.audit.events).toBeGreaterThan(20)
    for (const provider of Object.values(report.providers)) {
      expect(provider).toMatchObject({ used: true, out_of_scope_denied: true })
      expect(provider.refused_after_end_ms).toBeTypeOf('number')
      expect(provider.refused_after_signal_ms).toBeTypeOf('number')
    }
    const stolen = 'a stolen task token is worth nothing without its key'
    expect(report.steps.map(({ name }) => name)).toContain(stolen)
    const agreed = 'what destroys waits for a person, who agrees to it once'
    expect(report.steps.map(({ name }) => name)).toContain(agreed)
    const delegated = 'a part of the work is passed on to another agent'
    expect(report.steps.map(({ name }) => name)).toContain(delegated)
    const gated = 'a tool gateway asks before each call, and hears no once the risk rose'
    expect(report.steps.map(({ name }) => name)).toContain(gated)
    for (const shown of [
      'the operator sees what a kill would break',
      'a receipt says what became of a credential, without the broker',
    ]) {
      expect(report.steps.map(({ name }) => name)).toContain(shown)
    }
    expect(Object.keys(report).toSorted()).toEqual(['audit', 'ok', 'providers', 'steps'])
    expect(code).toBe(0)
    expect(readdirSync(temporary)).toEqual([])
  }, 90_000)

  it('P6: notices an upstream that only says it took a credential back', async () => {
    const { code, stdout } = await finished(start(['--json', '--break', 'aws-revoke']))
    const report = documentOf(stdout)
    expect(code).toBe(1)
    expect(report.ok).toBe(false)
    expect(report.providers.aws).toMatchObject({ used: true, refused_after_end_ms: null })
    expect(report.providers.vault).toMatchObject({ containment: 'proved' })
    const failed = report.steps.find(({ ok }) => !ok)
    expect(failed?.name).toBe('the task ends and stolen credentials die')
    expect(report.steps.at(-1)?.ok).toBe(false)
    expect(readdirSync(temporary)).toEqual([])
  }, 90_000)

  it('prints its document also where an early step failed', async () => {
    const { code, stdout, stderr } = await finished(start(['--json', '--break', 'aws-mint']))
    const report = documentOf(stdout)
    expect(code).toBe(1)
    expect(report.steps.filter(({ ok }) => ok)).toHaveLength(1)
    expect(report.providers.aws.used).toBe(false)
    expect(stderr).toContain('aws refused')
  }, 90_000)
})

describe('npm run demo -- --delegation', () => {
  it('P7: ends 49 agents on four levels at their root, and every upstream refuses them', async () => {
    const { code, stdout } = await finished(start(['--json', '--delegation']))
    const { ok, steps, tree, audit } = documentOf(stdout)
    expect(steps.filter((step) => !step.ok)).toEqual([])
    expect({ ok, verified: audit.verified }).toEqual({ ok: true, verified: true })
    expect(tree).toMatchObject({ agents: 49, levels: 4, credentials: 102 })
    expect(tree?.ended_within_ms).toBeLessThan(1_000)
    for (const ms of Object.values(tree?.refused_after_ms ?? {})) expect(ms).toBeGreaterThan(0)
    expect(code).toBe(0)
    expect(readdirSync(temporary)).toEqual([])
  }, 90_000)
})

describe('npm run demo', () => {
  it('tells a timeline of 100 columns, stays until Ctrl-C, then stops all it started', async () => {
    const demo = start(['--stay'])
    const shown = await outputUntil(demo, 'blocks lift BLOCK')
    expect(shown.split('\n').filter((line) => line.length > 100)).toEqual([])
    expect(shown).not.toContain('\u001b')
    expect(shown).toMatch(/aws {9}tickets-s3 {2}refused after +\d+ ms {2}simulated: 4 s scaled/)
    expect(shown).toMatch(/vault {7}tickets-db {2}refused after +\d+ ms$/m)
    expect(shown).toContain('$ mayfly leases ls')
    expect(shown).toMatch(/would kill agent=summariser: \d leases in \d tasks.*nothing was done/)
    expect(shown).toMatch(/forged {6}NOT VALID/)
    expect(shown).toContain('intact: ')
    expect(shown).toContain('every promise shown was kept')

    const ports = [...shown.matchAll(/^ {2}\w+ +http:\/\/127\.0\.0\.1:(\d+)/gm)]
    expect(ports).toHaveLength(5)
    const listening = () => Promise.all(ports.map(([, port]) => accepts(Number(port))))
    expect(await listening()).toEqual(ports.map(() => true))
    demo.kill('SIGINT')
    expect(await finished(demo)).toMatchObject({ code: 0 })
    expect(await listening()).toEqual(ports.map(() => false))
    expect(readdirSync(temporary)).toEqual([])
  }, 90_000)

  it.each([[['--jason']], [['--break', 'everything']], [['--json', '--stay']]])(
    'refuses %j with how to call it',
    async (args) => {
      const { code, stdout, stderr } = await finished(start(args))
      expect(code).toBe(2)
      expect(stdout).toBe('')
      expect(stderr).toContain('usage: npm run demo')
    },
  )
})

function start(args: readonly string[]): ChildProcess {
  // What a machine of an operator may have set, and must not take part.
  const foreign = { AWS_ENDPOINT_URL: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9' }
  running = spawn(process.execPath, [DEMO, ...args], {
    env: { PATH: '/usr/bin:/bin', TMPDIR: temporary, ...foreign },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PATIENCE_MS,
  })
  return running
}

async function finished(demo: ChildProcess) {
  let stdout = ''
  let stderr = ''
  demo.stdout?.on('data', (chunk) => (stdout += String(chunk)))
  demo.stderr?.on('data', (chunk) => (stderr += String(chunk)))
  const code = await new Promise((resolve) => demo.once('close', resolve))
  return { code, stdout, stderr }
}

function outputUntil(demo: ChildProcess, last: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = ''
    demo.stdout?.on('data', (chunk) => {
      output += String(chunk)
      if (output.includes(last)) resolve(output)
    })
    demo.once('close', () => reject(new Error(`it ended with: ${output}`)))
  })
}

/** Fails unless `stdout` is one JSON document and nothing else. */
function documentOf(stdout: string): Report {
  const document: unknown = JSON.parse(stdout)
  return document as Report // its fields are what the tests look at
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.unref()
    setTimeout(() => socket.destroy(), 200).unref()
  })
}
