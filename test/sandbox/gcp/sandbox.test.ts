import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Ledger } from '../ledger.ts'
import { type GcpSandbox, startGcpSandbox } from './index.ts'

const BROKER = 'ya29.broker'
const ACCOUNT = 'agent@acme-agents.iam.gserviceaccount.com'
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'
const PROPAGATION_MS = 60

/** The sandbox over plain fetch: nothing of ours stands between the test and its judgement. */
describe('the Google Cloud sandbox', () => {
  let sandbox: GcpSandbox
  let ledger: Ledger
  let ahead = 0

  beforeEach(async () => {
    ahead = 0
    ledger = new Ledger()
    const now = () => Date.now() + ahead
    sandbox = await startGcpSandbox({ ledger, propagationMs: PROPAGATION_MS, now })
    sandbox.addServiceAccount(ACCOUNT, [{ role: 'roles/storage.objectUser', bucket: 'tickets' }])
    sandbox.addBroker(BROKER, [
      {
        permissions: [
          'iam.serviceAccounts.getAccessToken',
          'iam.serviceAccounts.get',
          'iam.serviceAccounts.disable',
          'iam.serviceAccounts.enable',
        ],
        accounts: [ACCOUNT],
      },
    ])
    sandbox.putObject('tickets', 'a/1', 'one')
    sandbox.putObject('tickets', 'b/2', 'two')
  })
  afterEach(() => sandbox.close())

  async function call(
    path: string,
    given: { bearer?: string; body?: unknown; verb?: string } = {},
  ) {
    const response = await fetch(`${sandbox.url}${path}`, {
      method: given.verb ?? (given.body === undefined ? 'GET' : 'POST'),
      headers: {
        ...(given.bearer && { authorization: `Bearer ${given.bearer}` }),
        'x-goog-request-reason': 'mf-test',
      },
      ...(given.body !== undefined && {
        body: given.body instanceof URLSearchParams ? given.body : JSON.stringify(given.body),
      }),
    })
    const text = await response.text()
    return {
      status: response.status,
      body: text === '' ? null : parsed(text),
      date: response.headers.get('date'),
    }
  }

  function mint(change: Record<string, unknown> = {}, bearer = BROKER, email = ACCOUNT) {
    const path = `/v1/projects/-/serviceAccounts/${encodeURIComponent(email)}:generateAccessToken`
    const body = { scope: [CLOUD_PLATFORM], lifetime: '300s', ...change }
    return call(`${path}?$alt=json%3Benum-encoding=int`, { bearer, body })
  }

  async function token(change: Record<string, unknown> = {}): Promise<string> {
    return (await mint(change)).body.accessToken
  }

  function exchange(subject: string, rules: unknown) {
    return call('/v1/token', {
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        subject_token: subject,
        options: JSON.stringify({ accessBoundary: { accessBoundaryRules: rules } }),
      }),
    })
  }

  function get(name: string, bearer: string) {
    return call(`/storage/v1/b/tickets/o/${encodeURIComponent(name)}?alt=media`, { bearer })
  }

  function account(verb: string, bearer = BROKER) {
    return call(`/v1/projects/-/serviceAccounts/${ACCOUNT}:${verb}`, { bearer, body: {} })
  }

  it('mints for who may, names the lease in its ledger, and says its time', async () => {
    const answer = await mint()
    expect(answer.status).toBe(200)
    expect(Date.parse(answer.body.expireTime) - Date.now()).toBeGreaterThan(290_000)
    expect(ledger.minted).toMatchObject([{ upstream: 'gcp', name: 'mf-test' }])
    expect(Math.abs(Date.parse(answer.date ?? '') - Date.now())).toBeLessThan(2_000)
  })

  it.each([
    ['an unknown caller', () => mint({}, 'ya29.stranger'), 401],
    ['an account that is not there', () => mint({}, BROKER, 'no@p.iam.gserviceaccount.com'), 404],
    ['a life below five minutes', () => mint({ lifetime: '299s' }), 400],
    ['a life above one hour', () => mint({ lifetime: '3601s' }), 400],
    ['no scope', () => mint({ scope: [] }), 400],
    ['a minted token as caller', async () => mint({}, await token()), 403],
  ])('refuses to mint for %s', async (_, attempt, status) => {
    const answer = await attempt()
    expect(answer).toMatchObject({ status, body: { error: { code: status } } })
  })

  it('judges by role, by scope and by expiry', async () => {
    const reader = 'https://www.googleapis.com/auth/devstorage.read_only'
    const [full, reading] = [await token(), await token({ scope: [reader] })]
    expect(await get('a/1', full)).toMatchObject({ status: 200, body: 'one' })
    expect((await get('a/1', reading)).status).toBe(200)
    const remove = (bearer: string) =>
      call('/storage/v1/b/tickets/o/a%2F1', { bearer, verb: 'DELETE' })
    expect((await remove(reading)).status).toBe(403)
    expect((await call('/storage/v1/b/tickets', { bearer: full })).status).toBe(403)
    ahead = 301_000
    expect((await get('a/1', full)).status).toBe(401)
    expect(ledger.working()).toEqual([])
  })

  it('lets a disabled account’s tokens work until it has propagated, and revives them', async () => {
    const given = await token()
    expect((await account('disable')).status).toBe(200)
    expect((await get('a/1', given)).status).toBe(200)
    await sleep(PROPAGATION_MS + 10)
    expect((await get('a/1', given)).status).toBe(401)
    expect((await mint()).status).toBe(400)
    expect((await account('enable')).status).toBe(200)
    // Neither way bites at once.
    expect((await get('a/1', given)).status).toBe(401)
    expect((await mint()).status).toBe(400)
    await sleep(PROPAGATION_MS + 20)
    expect((await get('a/1', given)).status).toBe(200)
    expect((await mint()).status).toBe(200)
    expect((await account('disable', given)).status).toBe(403)
  })

  it('enforces an access boundary, on listings by their prefix', async () => {
    const answer = await exchange(await token(), [
      {
        availableResource: '//storage.googleapis.com/projects/_/buckets/tickets',
        availablePermissions: ['inRole:roles/storage.objectViewer'],
        availabilityCondition: {
          expression:
            "resource.name.startsWith('projects/_/buckets/tickets/objects/a/') || api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('a/')",
        },
      },
    ])
    const narrow: string = answer.body.access_token
    const list = (prefix: string) =>
      call(`/storage/v1/b/tickets/o?prefix=${encodeURIComponent(prefix)}`, { bearer: narrow })
    expect((await get('a/1', narrow)).status).toBe(200)
    expect((await get('b/2', narrow)).status).toBe(403)
    expect((await list('a/')).body.items).toHaveLength(1)
    expect((await list('')).status).toBe(403)
    expect((await list('b/')).status).toBe(403)
    const remove = call('/storage/v1/b/tickets/o/a%2F1', { bearer: narrow, verb: 'DELETE' })
    expect((await remove).status).toBe(403)
    expect((await exchange(narrow, [])).status).toBe(400)
  })

  it.each([
    ['no rule', []],
    ['eleven rules', Array.from({ length: 11 }, () => rule({}))],
    ['a permission instead of a role', [rule({ availablePermissions: ['storage.objects.get'] })]],
    ['a resource that is no bucket', [rule({ availableResource: '//pubsub.googleapis.com/x' })]],
    [
      'a condition it does not know',
      [rule({ availabilityCondition: { expression: "request.time < timestamp('2030-01-01')" } })],
    ],
  ])('refuses a boundary with %s', async (_, rules) => {
    const answer = await exchange(await token(), rules)
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
  })
})

function rule(change: Record<string, unknown>) {
  return {
    availableResource: '//storage.googleapis.com/projects/_/buckets/tickets',
    availablePermissions: ['inRole:roles/storage.objectViewer'],
    ...change,
  }
}

function parsed(text: string) {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
