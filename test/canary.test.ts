import { createHash, randomBytes } from 'node:crypto'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { generateKeyPair, SignJWT } from 'jose'
import { Webhook } from 'standardwebhooks'
import { expect, it, onTestFinished } from 'vitest'
import { ApiError } from '../src/client/api-error.ts'
import { apiClient, issuedIn } from '../src/client/http.ts'
import type { CredentialWire, IssuedWire } from '../src/model/wire.ts'
import { serve } from '../src/serve.ts'
import { BrokerProcess } from './crash/broker-process.ts'
import { furnish } from './crash/furnish.ts'
import { secretsOf } from './crash/holder.ts'
import { OWN_SECRET } from './crash/own-api.ts'
import { OFFERS, startUpstreams, type Upstreams } from './crash/upstreams.ts'
import { type Fault, Faults } from './sandbox/faults.ts'
import { isProbe } from './sandbox/probes.ts'
import { SecretSearch } from './secret-search.ts'

const INTENTS = OFFERS.filter(({ tenants }) => tenants.includes('red')).map((offer) => ({
  type: offer.type,
  identifier: offer.entitlement,
  actions: [...offer.actions],
  locations: [...offer.locations],
}))
/** Its tokens are known to no ledger: the broker itself signs them. */
const OWN_API = 'own-api'
const GATEWAY_TOKEN = `mfg_${randomBytes(32).toString('base64url')}`
const ENTITLEMENTS = [
  OWN_API,
  'aws-red-0',
  'vault-token',
  'vault-database',
  'gcp-pool',
  'gcp-shared',
]
/** The calls whose answer each provider's mint consists of. */
const MINTING = [
  'AssumeRole',
  'POST auth/token/create',
  'GET database/creds',
  'generateAccessToken',
  'token',
]

it('P2: no secret is found in files, log, answers, metrics or audit, whatever went wrong', async () => {
  const house = await canaryHouse()
  await everythingThatWorks(house)
  await probesThatLook(house)
  await everythingThatFails(house)
  await throughOtherDoors(house)
  await readEverything(house)

  expect(house.secrets.length).toBeGreaterThan(25)
  expect(house.upstreams.ledger.minted.length).toBeGreaterThan(15)
  expect(codesIn(house.answers)).toEqual(
    expect.arrayContaining([
      'forbidden',
      'invalid_request',
      'not_found',
      'unauthenticated',
      'upstream_refused',
      'upstream_unavailable',
    ]),
  )
  const search = house.search()
  search.files(house.dir) // while the database is open: WAL and shared memory are there
  await house.stop()
  search.files(house.dir)
  search.place('log', house.logged())
  for (const [name, text] of house.answers) search.place(name, text)

  expect(search.found).toEqual([])
  const places = [...search.searched].filter(([, bytes]) => bytes > 0).map(([name]) => name)
  expect(places).toEqual(
    expect.arrayContaining([
      'mayfly.db',
      'mayfly.db-wal',
      'anchor.jsonl',
      'log',
      'refusal',
      'read',
    ]),
  )
}, 60_000)

it('P2: the search finds a secret wherever it was planted, told to somebody or not', async () => {
  const house = await canaryHouse()
  const { id, token } = await openTask(house)
  const { credential } = await issue(house, { id, token, entitlement: 'vault-token' })
  const [secret = ''] = secretsOf(credential)
  await house.stop()
  const database = new Sqlite(join(house.dir, 'data', 'mayfly.db'))
  database.pragma('journal_mode = WAL')
  database.prepare('update tasks set purpose = ? where id = ?').run(secret, id)
  const planted = house.search()
  planted.files(house.dir)
  database.close()
  expect(planted.found.join()).toContain('mayfly.db-wal')
  const encoded = Buffer.from(secret).toString('base64')
  appendFileSync(join(house.dir, 'some.log'), `{"headers":"${encoded}"}`)
  const inLog = house.search()
  inLog.files(house.dir)
  expect(inLog.found.join()).toContain('some.log')

  const fingerprints = house.upstreams.ledger.minted.map((record) => record.fingerprint)
  const untold = new SecretSearch({ secrets: [], fingerprints, lengths: [secret.length] })
  untold.place('a page', `\u0001support${secret}mf-abc`)
  expect(untold.found).toEqual(['a page holds a secret told to nobody'])
})

it.runIf(process.platform === 'linux')(
  'P2: the process list shows no argument and no variable that was not configured',
  async () => {
    const { dir, upstreams, operatorToken } = await canaryFiles()
    const broker = new BrokerProcess({ dir, env: upstreams.env })
    onTestFinished(() => broker.kill())
    const url = await broker.ready()
    const house = { upstreams, api: (token: string) => apiClient({ url, token }), secrets: [] }
    const { id, token } = await openTask({ ...house, note: () => {} })
    const { credential } = await issue(
      { ...house, note: () => {} },
      { id, token, entitlement: 'vault-token' },
    )

    const minted = [...secretsOf(credential), token, operatorToken]
    const args = readFileSync(`/proc/${broker.pid}/cmdline`, 'utf8')
    const environ = readFileSync(`/proc/${broker.pid}/environ`, 'utf8')
    const search = new SecretSearch({ secrets: [...minted, ...Object.values(upstreams.env)] })
    search.place('arguments', args)
    expect(search.found).toEqual([])
    const variables = environ.split('\0').filter((line) => line !== '')
    const names = variables.map((line) => line.split('=')[0])
    expect(names.toSorted()).toEqual(['HOME', 'PATH', ...Object.keys(upstreams.env)].toSorted())
    const inEnviron = new SecretSearch({ secrets: minted })
    inEnviron.place('environment', environ)
    expect(inEnviron.found).toEqual([])
  },
  40_000,
)

interface House {
  readonly dir: string
  readonly upstreams: Upstreams
  readonly faults: Faults
  readonly url: string
  readonly operatorToken: string
  readonly secrets: string[]
  readonly answers: [place: string, text: string][]
  api(token?: string): ReturnType<typeof apiClient>
  note(secret: string): void
  logged(): string
  search(): SecretSearch
  stop(): Promise<void>
}

type Door = Pick<House, 'upstreams' | 'api' | 'note'>

async function canaryFiles(faults = new Faults()) {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-canary-'))
  const upstreams = await startUpstreams({ faults, poolSize: 20, propagationMs: 50 })
  const operatorToken = `mfo_${randomBytes(32).toString('base64url')}`
  const gateways = [{ name: 'tools', tenants: ['red'], token_sha256: sha256(GATEWAY_TOKEN) }]
  const furnished = { ...upstreams, sections: { ...upstreams.sections, gateways } }
  furnish(dir, { upstreams: furnished, operatorToken, anchor: join(dir, 'anchor.jsonl') })
  onTestFinished(async () => {
    await upstreams.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return { dir, upstreams, operatorToken, faults }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

async function canaryHouse(): Promise<House> {
  const files = await canaryFiles()
  const { dir, upstreams, operatorToken } = files
  let log = ''
  const served = await serve({
    file: join(dir, 'mayfly.yaml'),
    env: upstreams.env,
    clockSource: {
      wall: Date.now,
      monotonic: () => performance.now(),
      after: (ms, run) => {
        const timer = setTimeout(run, ms)
        return () => clearTimeout(timer)
      },
    },
    random: (bytes) => randomBytes(bytes),
    logTo: { write: (line) => (log += line) },
    logLevel: 'trace',
    port: 0,
  })
  let stopping: Promise<void> | undefined
  const stop = () => (stopping ??= served.stop())
  onTestFinished(stop)
  const secrets = [operatorToken, GATEWAY_TOKEN, OWN_SECRET, ...Object.values(upstreams.env)]
  const answers: House['answers'] = []
  return {
    ...files,
    url: served.url,
    secrets,
    answers,
    note: (secret) => secrets.push(secret),
    // What may hold a secret is what the caller asked it for; everything else is searched.
    api: (token) =>
      apiClient({
        url: served.url,
        ...(token === undefined ? {} : { token }),
        fetch: async (url, init) => {
          const response = await fetch(url, init)
          const text = await response.clone().text()
          const delivers = /\/(tasks|credentials|renew)$/.test(url) && init.method === 'POST'
          if (!response.ok) answers.push(['refusal', text])
          else if (!delivers) answers.push(['read', text])
          return response
        },
      }),
    logged: () => log,
    search: () =>
      new SecretSearch({
        secrets,
        fingerprints: upstreams.ledger.minted.map((record) => record.fingerprint),
        lengths: lengthsOf(secrets),
      }),
    stop,
  }
}

/** Lengths of what upstreams mint; tokens of agents and evidence are known by themselves. */
function lengthsOf(secrets: readonly string[]): number[] {
  const minted = secrets.filter((secret) => !/^(mf[todgr]_|eyJ|whsec_)/.test(secret))
  return minted.map((secret) => secret.length).filter((length) => length <= 128)
}

async function openTask({ upstreams, api, note }: Door): Promise<{ id: string; token: string }> {
  const iat = Math.floor(Date.now() / 1_000)
  const claims = { iss: upstreams.issuer.url, aud: 'mayfly', sub: 'worker-0', iat, exp: iat + 600 }
  const evidence = await upstreams.issuer.sign(claims)
  note(evidence)
  const opened = await api(evidence).openTask({ purpose: 'look for canaries', intent: INTENTS })
  note(opened.token)
  return { id: opened.task.id, token: opened.token }
}

async function issue(
  { api, note }: Door,
  { id, token, entitlement }: { id: string; token: string; entitlement: string },
): Promise<IssuedWire> {
  const issued = issuedIn(await api(token).requestCredential(id, { entitlement }))
  noteAll(note, issued.credential)
  return issued
}

function noteAll(note: House['note'], credential: CredentialWire): void {
  for (const secret of secretsOf(credential)) note(secret)
}

async function everythingThatWorks(house: House): Promise<void> {
  const task = await openTask(house)
  const asTask = house.api(task.token)
  for (const entitlement of ENTITLEMENTS) {
    const { lease } = await issue(house, { ...task, entitlement })
    const { credential } = await asTask.renewLease(lease.id)
    noteAll(house.note, credential)
    if (entitlement.startsWith('vault')) await asTask.endLease(lease.id)
  }
  await asTask.heartbeat(task.id)
  await asTask.requestable(task.id)
  const killed = await openTask(house)
  await issue(house, { ...killed, entitlement: 'aws-red-1' })
  const selector = { task: killed.id }
  await house.api(house.operatorToken).kill({ selector, reason: 'a canary' })
  const signalled = await openTask(house)
  await issue(house, { ...signalled, entitlement: 'vault-token' })
  await house.api().sendSignal(signed(house, { task: signalled.id }))
  await asTask.endTask(task.id, 'completed')
}

/** What Mayfly mints for itself is told to nobody, and known by its fingerprints. */
async function probesThatLook({ upstreams }: House): Promise<void> {
  const { ledger } = upstreams
  const refused = () => {
    const probes = new Set(ledger.minted.filter(isProbe).map(({ fingerprint }) => fingerprint))
    return ledger.uses.some((use) => probes.has(use.fingerprint) && !use.allowed)
  }
  await expect.poll(refused, { timeout: 20_000 }).toBe(true)
}

/** Upstreams that lose, garble, refuse with the secret in their mouth; callers that misuse theirs. */
async function everythingThatFails(house: House): Promise<void> {
  const { faults, upstreams, api, operatorToken } = house
  const task = await openTask(house)
  const asTask = api(task.token)
  const { AWS_BROKER_SECRET = '', GCP_MINT = '' } = upstreams.env
  for (const kind of ['garbage', 'lose', 'lie', 'fail', 'refuse'] as const) {
    for (const entitlement of ENTITLEMENTS) {
      for (const operation of MINTING) {
        const echo = entitlement.startsWith('aws') ? AWS_BROKER_SECRET : GCP_MINT
        faults.plan(operation, faultOf(kind, echo), 1)
      }
      await asTask
        .requestCredential(task.id, { entitlement })
        .then(issuedIn)
        .then(({ credential }) => noteAll(house.note, credential), refusal)
      faults.clear()
      // Now and then it works, or the circuit would open and nothing more would be asked.
      await issue(house, { ...task, entitlement }).catch(refusal)
    }
  }
  await asTask.leases().catch(refusal)
  faults.plan('*', { kind: 'fail', status: 500, code: GCP_MINT }, 6)
  await asTask.endTask(task.id, 'failed').catch(refusal)

  const evidence = await upstreams.issuer.sign({ iss: 'https://else.example.com', sub: 'x' })
  house.note(evidence)
  const wrong = `mfo_${randomBytes(32).toString('base64url')}`
  house.note(wrong)
  const bad = { purpose: task.token, intent: [], extra: operatorToken }
  await api(evidence).openTask(bad).catch(refusal)
  await api(wrong).leases().catch(refusal)
  await api(operatorToken).task('task_aaaaaaaaaaaaaaaaaaaa').catch(refusal)
  const forged = { ...signed(house, { agent: 'worker-0' }), body: `{"reason":"${operatorToken}"}` }
  await api().sendSignal(forged).catch(refusal)
  faults.clear()
}

/** Delegation, proofs of a key, gateways and the OAuth endpoints: tokens of their own, used and misused. */
async function throughOtherDoors(house: House): Promise<void> {
  const { upstreams, note } = house
  const [intent] = INTENTS.filter(({ identifier }) => identifier === OWN_API)
  const task = await openTask(house)
  const delegation = await posted(house, `/v1/tasks/${task.id}/delegations`, {
    authorization: `Bearer ${task.token}`,
    body: JSON.stringify({ agent: 'worker-2', intent: [intent] }),
  })
  expect(delegation.status).toBe(201)

  const { privateKey } = await generateKeyPair('ES256')
  const proof = await new SignJWT({
    htm: 'POST',
    htu: `${house.url}/v1/tasks`,
    jti: 'canary-proof',
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt' })
    .sign(privateKey)
  note(proof)
  await posted(house, `/v1/tasks/${task.id}/heartbeat`, {
    authorization: `DPoP ${task.token}`,
    dpop: proof,
    body: '{}',
  })

  const evaluation = JSON.stringify({
    subject: { type: 'task_token', id: sha256(task.token) },
    action: { name: 'tickets:read' },
    resource: { type: 'api', id: '/tickets/1' },
  })
  for (const token of [GATEWAY_TOKEN, `${GATEWAY_TOKEN}x`]) {
    const authorization = `Bearer ${token}`
    await posted(house, '/access/v1/evaluation', { authorization, body: evaluation })
  }

  const iat = Math.floor(Date.now() / 1_000)
  const claims = { iss: upstreams.issuer.url, aud: 'mayfly', sub: 'worker-0', iat, exp: iat + 600 }
  const evidence = await upstreams.issuer.sign(claims)
  note(evidence)
  const exchanged = await posted(house, '/oauth2/token', {
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: evidence,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      authorization_details: JSON.stringify([intent]),
    }).toString(),
  })
  expect(exchanged.status).toBe(200)
  for (const secret of [OWN_SECRET, `${OWN_SECRET}x`]) {
    const basic = Buffer.from(`tickets:${secret}`).toString('base64')
    note(basic)
    await posted(house, '/oauth2/introspect', {
      authorization: `Basic ${basic}`,
      body: new URLSearchParams({ token: exchanged.said.access_token ?? '' }).toString(),
    })
  }
}

/** One call; the tokens its answer delivers are noted, what it says otherwise is searched. */
async function posted(
  { url, note, answers }: House,
  path: string,
  { body, ...headers }: Record<string, string> & { readonly body: string },
): Promise<{ status: number; said: Record<string, string> }> {
  const form = path.startsWith('/oauth2/')
  const type = form ? 'application/x-www-form-urlencoded' : 'application/json'
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': type, ...headers },
    body,
  })
  const text = await response.text()
  const said = JSON.parse(text || '{}')
  const delivered = [said.token, said.access_token, said.task_token].filter(Boolean)
  for (const token of delivered) note(token)
  if (delivered.length === 0) answers.push(['another door', text])
  return { status: response.status, said: Object(said) }
}

/** An upstream that fails says something of its own, and in the worst case what it was sent. */
function faultOf(kind: 'garbage' | 'lose' | 'lie' | 'fail' | 'refuse', echo: string): Fault {
  if (kind === 'fail') return { kind, status: 500, code: echo }
  if (kind !== 'refuse') return { kind }
  // A code says why; without the right one AWS's refusal would not be known to be one.
  return { kind: 'fail', status: 403 }
}

async function readEverything({ api, operatorToken, url, answers }: House): Promise<void> {
  const operator = api(operatorToken)
  for (const read of [
    operator.leases,
    operator.tasks,
    operator.agents,
    operator.entitlements,
    operator.decisions,
    operator.signals,
    operator.risk,
    operator.endings,
    operator.blocks,
  ]) {
    await read({ limit: 200 })
  }
  for (let cursor: string | undefined; ; ) {
    const page = await operator.audit({ limit: 200, ...(cursor === undefined ? {} : { cursor }) })
    if (page.next_cursor === undefined || page.next_cursor === null) break
    cursor = page.next_cursor
  }
  for (const path of ['/metrics', '/openapi.json', '/readyz', '/livez']) {
    const authorization = `Bearer ${operatorToken}`
    const response = await fetch(`${url}${path}`, { headers: { authorization } })
    answers.push(['read', await response.text()])
  }
}

function signed({ upstreams }: House, subject: Record<string, string>) {
  const id = `msg_${createHash('sha256').update(JSON.stringify(subject)).digest('hex').slice(0, 12)}`
  const at = new Date()
  const body = JSON.stringify({ subject, action: 'kill', reason: 'a canary' })
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(upstreams.siemSecret).sign(id, at, body),
  }
  return { source: 'siem', body, headers }
}

function codesIn(answers: House['answers']): string[] {
  const refusals = answers.filter(([place]) => place === 'refusal')
  return [...new Set(refusals.map(([, text]) => String(JSON.parse(text).code)))]
}

/** Only the API's own refusals are expected. */
function refusal(error: unknown): void {
  if (!(error instanceof ApiError)) throw error
}
