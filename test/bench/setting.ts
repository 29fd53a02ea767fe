import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { startIssuer } from '../identity/issuer-server.ts'
import type { Doomed, Job, Measured } from './job.ts'

/** The processes of one bench, on a real disk: the floor, a real Mayfly, and the driver. */
export interface Setting {
  readonly floorUrl: string
  readonly mayflyUrl: string
  readonly signalSecret: string
  /** One token of evidence for each agent. */
  readonly evidence: readonly string[]
  /** Agents that nothing else is measured with: each can be killed once. */
  readonly doomed: readonly Doomed[]
  /** The token of an operator who may kill. */
  readonly operator: string
  drive(job: Job): Promise<Measured>
  /** When each lease was first revoked upstream, by its upstream name. */
  revoked(): Promise<Readonly<Record<string, number>>>
  close(): Promise<void>
}

/** Leases are spread over so many agents that no cap is near and no scan of one is long. */
const AGENTS = Array.from({ length: 200 }, (_, n) => `agent-${n}`)
const DOOMED = Array.from({ length: 41 }, (_, n) => `doomed-${n}`)
const OPERATOR = `mfo_${Buffer.alloc(32, 5).toString('base64url')}`
const SIGNAL_SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`

export async function startSetting(options: { profileTo: string | undefined }): Promise<Setting> {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-bench-'))
  const issuer = await startIssuer()
  writeFileSync(join(dir, 'mayfly.yaml'), stringify(documentFor(issuer)))
  cpSync(new URL('../../deploy/policies', import.meta.url), join(dir, 'policies'), {
    recursive: true,
  })
  const jwk = JSON.stringify(issuer.keys[0]?.jwk)
  const floor = await start({ dir, script: 'floor.ts', args: [jwk, join(dir, 'floor.db')] })
  const profile =
    options.profileTo === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${options.profileTo}`, '--cpu-prof-interval=200']
  const mayfly = await start({
    dir,
    script: 'server.ts',
    args: [join(dir, 'mayfly.yaml')],
    node: profile,
  })
  const driver = spawn({ dir, script: 'driver.ts', args: [] })
  const now = Math.floor(Date.now() / 1_000)
  const tokenOf = (sub: string) =>
    issuer.sign({ iss: issuer.url, aud: 'mayfly', sub, iat: now, exp: now + 3_600 })
  const evidence = await Promise.all(AGENTS.map(tokenOf))
  const doomed = await Promise.all(
    DOOMED.map(async (agent) => ({ agent, evidence: await tokenOf(agent) })),
  )
  return {
    floorUrl: floor.url,
    mayflyUrl: mayfly.url,
    signalSecret: SIGNAL_SECRET,
    evidence,
    doomed,
    operator: OPERATOR,
    drive: async (job) => {
      const { measured, error } = await ask<{ measured?: Measured; error?: string }>(driver, job)
      if (!measured) throw new Error(`the driver: ${error}`)
      return measured
    },
    revoked: async () =>
      (await ask<{ revoked: Record<string, number> }>(mayfly.child, 'revoked')).revoked,
    async close() {
      await Promise.all([driver, floor.child, mayfly.child].map(ended))
      await issuer.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

interface Program {
  readonly dir: string
  readonly script: string
  readonly args: readonly string[]
  readonly node?: readonly string[]
}

function spawn({ dir, script, args, node = [] }: Program): ChildProcess {
  const log = openSync(join(dir, `${script}.log`), 'a')
  const path = fileURLToPath(new URL(script, import.meta.url))
  return fork(path, [...args], {
    execArgv: [...node],
    env: { PATH: '/usr/bin:/bin', SIEM_SECRET: SIGNAL_SECRET },
    stdio: ['ignore', log, 'inherit', 'ipc'],
  })
}

async function start(program: Program): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(program)
  const { url } = await answer<{ url: string }>(child)
  return { child, url }
}

function ask<T>(child: ChildProcess, message: Job | 'revoked'): Promise<T> {
  child.send(message)
  return answer(child)
}

function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const died = () => reject(new Error('a process of the bench ended by itself'))
    child.once('exit', died)
    child.once('message', (message) => {
      child.off('exit', died)
      resolve(message as T) // each program answers one question in one shape
    })
  })
}

/** Every program ends when its channel closes. */
function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
    child.once('exit', () => {
      clearTimeout(late)
      resolve()
    })
    child.disconnect()
  })
}

function documentFor(issuer: { url: string; jwksUri: string }) {
  return {
    version: 1,
    installation: 'bench',
    server: { listen: '127.0.0.1:0' },
    policies: './policies',
    issuers: [
      {
        name: 'corp',
        type: 'oidc',
        issuer: issuer.url,
        audience: 'mayfly',
        jwks_uri: issuer.jwksUri,
        algorithms: ['ES256'],
      },
    ],
    agents: [...AGENTS, ...DOOMED].map((id) => ({
      id,
      tenant: 'bench',
      owner: 'bench@example.com',
      match: { issuer: 'corp', claims: { sub: id } },
    })),
    operators: [
      {
        name: 'on-call',
        roles: ['responder'],
        tenants: ['*'],
        token_sha256: createHash('sha256').update(OPERATOR).digest('hex'),
        expires_at: '2099-01-01',
      },
    ],
    providers: { noop: { type: 'noop' } },
    entitlements: [
      {
        id: 'things',
        tenants: ['bench'],
        provider: 'noop',
        target: { account: 'things' },
        ceiling: [{ type: 'noop', actions: ['read'], locations: ['/things/*'] }],
        default_ttl: '5m',
      },
    ],
    signals: {
      sources: [
        {
          name: 'siem',
          type: 'webhook',
          secret: 'env:SIEM_SECRET',
          max_subjects_per_minute: 100_000,
        },
      ],
    },
    limits: {
      open_tasks_per_agent: 1_000_000,
      active_leases_per_agent: 1_000_000,
      issues_per_minute_per_agent: 1_000_000,
    },
  }
}
