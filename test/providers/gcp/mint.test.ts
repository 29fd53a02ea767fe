import { createServer, type RequestListener, type Server } from 'node:http'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { gcp } from '../../../providers/gcp/index.ts'
import { type MintOrder, type Provider, UpstreamError } from '../../../src/provider.ts'
import type { GcpSandbox } from '../../sandbox/gcp/index.ts'
import { fingerprint, type Ledger } from '../../sandbox/ledger.ts'
import {
  createProvider,
  MINT_TOKEN,
  orderFor,
  POOL,
  read,
  SHARED,
  settingsFor,
  startSandbox,
  storageWith,
  TestClock,
  tokenOf,
  VIEW_TICKETS,
} from './fixture.ts'

describe('minting on Google Cloud', () => {
  let sandbox: GcpSandbox
  let ledger: Ledger
  let provider: Provider
  let clock: TestClock
  let settings: unknown

  beforeEach(async () => {
    ;({ sandbox, ledger } = await startSandbox())
    clock = new TestClock()
    settings = settingsFor(sandbox)
    provider = createProvider({ settings, clock })
  })
  afterEach(async () => {
    await provider.close()
    await sandbox.close()
    for (const server of servers.splice(0)) server.close().closeAllConnections()
  })

  const servers: Server[] = []
  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  }

  it('P4: the agent’s Storage client lists and reads its prefix and nothing else', async () => {
    const minted = await provider.mint(orderFor({ settings, clock }))
    const storage = storageWith(tokenOf(minted), sandbox)
    const [files] = await storage.bucket('tickets').getFiles({ prefix: '4711/' })
    expect(files.map((file) => file.name)).toEqual(['4711/mail.txt'])
    expect(await read(storage, 'tickets', '4711/mail.txt')).toBe('the printer burns')
    expect(await read(storage, 'tickets', '4712/mail.txt')).toBeUndefined()
    const everything = storage.bucket('tickets').getFiles()
    await expect(everything).rejects.toMatchObject({ code: 403 })
    const wider = storage.bucket('tickets').getFiles({ prefix: '471' })
    await expect(wider).rejects.toMatchObject({ code: 403 })
    const write = storage.bucket('tickets').file('4711/note').save('x', { resumable: false })
    await expect(write).rejects.toMatchObject({ code: 403 })
  })

  it('P4: a writer’s role writes under its prefix and cannot read', async () => {
    const intent = [
      {
        type: 'gcp',
        actions: ['inRole:roles/storage.objectCreator'],
        locations: ['gs://tickets/out/*'],
      },
    ]
    const minted = await provider.mint(orderFor({ settings, clock, intent }))
    const bucket = storageWith(tokenOf(minted), sandbox).bucket('tickets')
    await bucket.file('out/summary.txt').save('all is well', { resumable: false })
    expect(sandbox.readObject('tickets', 'out/summary.txt')).toBe('all is well')
    const elsewhere = bucket.file('4711/mail.txt').save('x', { resumable: false })
    await expect(elsewhere).rejects.toMatchObject({ code: 403 })
    await expect(bucket.file('out/summary.txt').download()).rejects.toMatchObject({ code: 403 })
  })

  it('P4: a single object can be read, and neither its neighbours nor a listing', async () => {
    sandbox.putObject('tickets', '4711/mail.txt.bak', 'an old one')
    const intent = [
      { type: 'gcp', actions: ['storage.objects.get'], locations: ['gs://tickets/4711/mail.txt'] },
    ]
    const minted = await provider.mint(orderFor({ settings, clock, intent }))
    const storage = storageWith(tokenOf(minted), sandbox)
    expect(await read(storage, 'tickets', '4711/mail.txt')).toBe('the printer burns')
    expect(await read(storage, 'tickets', '4711/mail.txt.bak')).toBeUndefined()
    const listing = storage.bucket('tickets').getFiles({ prefix: '4711/' })
    await expect(listing).rejects.toMatchObject({ code: 403 })
  })

  it('P4: the source token never leaves: what the agent gets is the narrowed one', async () => {
    const minted = await provider.mint(orderFor({ settings, clock }))
    expect(ledger.minted).toHaveLength(2)
    const [source] = ledger.minted
    const given = fingerprint(tokenOf(minted))
    expect(given).toBe(ledger.minted[1]?.fingerprint)
    expect(given).not.toBe(source?.fingerprint)
  })

  it('P4: an atomic lease has the ceiling and its account’s whole token, unnarrowed', async () => {
    const target = gcp.target.parse({ service_account: SHARED, shared: true })
    const intent = [
      {
        type: 'gcp',
        actions: ['https://www.googleapis.com/auth/devstorage.read_only'],
        locations: ['//cloudresourcemanager.googleapis.com/projects/acme-agents'],
      },
    ]
    const order = orderFor({ settings, clock, target, intent, ceiling: intent, slot: null })
    const minted = await provider.mint(order)
    expect(minted.credential.service_account).toBe(SHARED)
    expect(ledger.minted).toHaveLength(1)
    const storage = storageWith(tokenOf(minted), sandbox)
    expect(await read(storage, 'tickets', '4712/mail.txt')).toBe('not your ticket')
    const write = storage.bucket('tickets').file('4711/note').save('x', { resumable: false })
    await expect(write).rejects.toMatchObject({ code: 403 })
  })

  it('P5: a lease shorter than Google can mint is told its own end, and what is native', async () => {
    const order = orderFor({ settings, clock, ttlSeconds: 60 })
    const minted = await provider.mint(order)
    expect(minted.expiresAt).toBe(order.notAfter)
    expect(minted.nativeExpiresAt - clock.now()).toBeGreaterThan(295_000)
    expect(minted.nativeExpiresAt - clock.now()).toBeLessThanOrEqual(300_000)
  })

  it('P5: asks for no more than an hour, whatever the order says', async () => {
    const minted = await provider.mint(orderFor({ settings, clock, ttlSeconds: 7_200 }))
    expect(minted.expiresAt).toBe(minted.nativeExpiresAt)
    expect(minted.nativeExpiresAt - clock.now()).toBeLessThanOrEqual(3_600_000)
  })

  it('P6: a shorter renewal does not hide that an earlier token still lives', async () => {
    const order = orderFor({ settings, clock, ttlSeconds: 1_800 })
    const first = await provider.mint(order)
    const renewal = { ...order, generation: 2, ttlSeconds: 300, handle: first.handle }
    const second = await provider.mint({ ...renewal, notAfter: clock.now() + 300_000 })
    expect(second.nativeExpiresAt).toBe(first.nativeExpiresAt)
    expect(second.expiresAt).toBeLessThan(first.expiresAt)
    expect(second.handle).toEqual(first.handle)
  })

  for (const fault of [
    { kind: 'fail', status: 400 },
    { kind: 'fail', status: 503 },
    { kind: 'lie' },
    { kind: 'lose' },
    { kind: 'hang' },
    { kind: 'garbage' },
  ] as const) {
    const kind = 'status' in fault ? `${fault.kind} ${fault.status}` : fault.kind
    it(`P1: once the source token exists, an exchange under "${kind}" is no refusal`, async () => {
      sandbox.faults.plan('token', fault, 1)
      const order = orderFor({ settings, clock, deadlineMs: 500 })
      const outcome = await provider.mint(order).then(
        (minted) => minted,
        (error: unknown) => error,
      )
      if (fault.kind === 'lie') {
        // A token that the sandbox never made: useless, but nothing tells the broker so.
        expect(outcome).toHaveProperty('handle')
        return
      }
      expect(outcome).toMatchObject({ name: 'UpstreamError', outcome: 'unknown' })
      expect(inspect(outcome, { depth: 9, showHidden: true })).not.toMatch(/ya29/)
      expect(ledger.minted[0]?.name).toBe(order.upstreamName)
    })
  }

  it('P1: a connection that cannot be made proves that nothing was minted', async () => {
    const order = orderFor({ settings, clock })
    await sandbox.close()
    await expect(provider.mint(order)).rejects.toMatchObject({ outcome: 'refused' })
  })

  it('P1: a refusal by something that is not Google proves nothing', async () => {
    const url = await serve((_, response) => response.writeHead(403).end('<h1>blocked</h1>'))
    const blocked = {
      ...settingsFor(sandbox),
      endpoints: { iamcredentials: url, iam: url, sts: url },
    }
    const behind = createProvider({ settings: blocked, clock })
    const order = orderFor({ settings: blocked, clock })
    await expect(behind.mint(order)).rejects.toMatchObject({ outcome: 'unknown' })
    await behind.close()
  })

  it('P1: the generated client’s own retries are off', async () => {
    sandbox.faults.plan('generateAccessToken', { kind: 'lose' }, 1)
    await expect(provider.mint(orderFor({ settings, clock }))).rejects.toBeInstanceOf(UpstreamError)
    expect(ledger.minted).toHaveLength(1)
    ledger.minted.length = 0
    sandbox.faults.plan('generateAccessToken', { kind: 'fail', status: 503 }, 1)
    await expect(provider.mint(orderFor({ settings, clock }))).rejects.toBeInstanceOf(UpstreamError)
    expect(ledger.minted).toHaveLength(0)
  })

  it('P1: a hung mint ends at its deadline as an unknown outcome', async () => {
    sandbox.faults.plan('generateAccessToken', { kind: 'hang' }, 1)
    const started = performance.now()
    const order = orderFor({ settings, clock, deadlineMs: 300 })
    await expect(provider.mint(order)).rejects.toMatchObject({ outcome: 'unknown' })
    expect(performance.now() - started).toBeLessThan(1_500)
  })

  it('refuses without a call: a slot that is no longer in the pool, a scope it did not make', async () => {
    const order = orderFor({ settings, clock })
    const wrong: readonly Partial<MintOrder>[] = [
      { slot: 'stranger@acme-agents.iam.gserviceaccount.com' },
      { slot: null },
      { scope: { mode: 'everything' } },
      { target: { service_accounts: [] } },
    ]
    for (const change of wrong) {
      const attempt = provider.mint({ ...order, ...change })
      await expect(attempt).rejects.toMatchObject({ outcome: 'refused' })
    }
    expect(ledger.minted).toEqual([])
  })

  it('P2: broken credentials are a refusal that quotes nothing of them', async () => {
    const broken = { ...settingsFor(sandbox), credentials: { key_file: 'env:MINT' } }
    const unready = createProvider({ settings: broken, clock })
    const error: unknown = await unready
      .mint(orderFor({ settings: broken, clock }))
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ outcome: 'refused' })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(MINT_TOKEN.slice(5))
    await unready.close()
  })

  it('uses a federated identity from a key file, and obtains its token once', async () => {
    let asked = 0
    const url = await serve((_, response) => {
      asked += 1
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify({
          access_token: MINT_TOKEN,
          issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          token_type: 'Bearer',
          expires_in: 3_600,
        }),
      )
    })
    const key = {
      type: 'external_account',
      audience:
        '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${url}/v1/token`,
      credential_source: { file: import.meta.filename },
    }
    const federated = { ...settingsFor(sandbox), credentials: { key_file: 'env:KEY' } }
    const secrets = { 'env:KEY': JSON.stringify(key) }
    const broker = createProvider({ settings: federated, clock, secrets })
    for (const slot of POOL) {
      const minted = await broker.mint(orderFor({ settings: federated, clock, slot }))
      expect(minted.credential.service_account).toBe(slot)
    }
    expect(asked).toBe(1)
    await broker.close()
  })

  it('mints at once for different leases without mixing up their names', async () => {
    const orders = POOL.map((slot) => orderFor({ settings, clock, slot, intent: VIEW_TICKETS }))
    const minted = await Promise.all(orders.map((order) => provider.mint(order)))
    expect(minted.map((one) => one.credential.service_account)).toEqual(POOL)
    const names = new Set(ledger.minted.map((record) => record.name))
    expect(names).toEqual(new Set(orders.map((order) => order.upstreamName)))
  })
})
