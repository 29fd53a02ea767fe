import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { STATUS_OF } from '../../src/errors.ts'
import { type Api, OPENING, type Sent, TICKET, testApi } from '../fixture/http.ts'

const BIDI = '\u202e'

/** Every refusal is problem details with a known code, and leaves no task, lease or event behind. */
async function expectRefused(api: Api, line: string, sent: Sent, expected: string): Promise<void> {
  const before = (await api.store.audit.head()).seq
  const { status, body, headers } = await api.call(line, sent)
  expect(`${status} ${body?.code}`, JSON.stringify(sent.body)?.slice(0, 200)).toBe(expected)
  expect(headers.get('content-type')).toBe('application/problem+json')
  expect(STATUS_OF).toHaveProperty(body.code, status)
  expect(body.request_id).toBe(headers.get('x-request-id'))
  expect((await api.store.audit.head()).seq).toBe(before)
}

describe('what bad input gets when a task is opened', () => {
  const cases: [string, unknown, string][] = [
    ['no JSON', '{"purpose":', '400 invalid_request'],
    ['an empty body', '', '400 invalid_request'],
    ['null', 'null', '400 invalid_request'],
    ['a list', '[]', '400 invalid_request'],
    ['a deep nest', `{"a":${'['.repeat(30_000)}`, '400 invalid_request'],
    ['a closed deep nest', `${'{"a":'.repeat(8_000)}1${'}'.repeat(8_000)}`, '400 invalid_request'],
    ['a key twice', `{"purpose":"a",${JSON.stringify(OPENING).slice(1)}`, '400 invalid_request'],
    [
      'a key twice, once escaped',
      `{"purp\\u006fse":"a",${JSON.stringify(OPENING).slice(1)}`,
      '400 invalid_request',
    ],
    [
      '__proto__',
      `{"__proto__":{"a":1},${JSON.stringify(OPENING).slice(1)}`,
      '400 invalid_request',
    ],
    [
      '__proto__ in disguise',
      `{"labels":{"\\u005f_proto__":"x"},${JSON.stringify(OPENING).slice(1)}`,
      '400 invalid_request',
    ],
    ['bytes that are no UTF-8', new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), '400 invalid_request'],
    ['too much', { ...OPENING, purpose: 'x'.repeat(70_000) }, '413 payload_too_large'],
    ['a control character', { ...OPENING, purpose: 'a\u0007b' }, '400 invalid_request'],
    ['a line feed', { ...OPENING, purpose: 'a\nb' }, '400 invalid_request'],
    ['a bidi override', { ...OPENING, purpose: `a${BIDI}b` }, '400 invalid_request'],
    ['half a surrogate pair', '{"purpose":"\\ud800"}', '400 invalid_request'],
    ['an empty purpose', { ...OPENING, purpose: '' }, '400 invalid_request'],
    ['a long purpose', { ...OPENING, purpose: 'x'.repeat(1_001) }, '400 invalid_request'],
    ['no intent', { purpose: 'x' }, '400 invalid_request'],
    ['an empty intent', { ...OPENING, intent: [] }, '400 invalid_request'],
    [
      'an intent without actions',
      { ...OPENING, intent: [{ ...TICKET, actions: [] }] },
      '400 invalid_request',
    ],
    ['too many items', { ...OPENING, intent: Array(21).fill(TICKET) }, '400 invalid_request'],
    ['ttl 0', { ...OPENING, ttl_seconds: 0 }, '400 invalid_request'],
    ['a negative ttl', { ...OPENING, ttl_seconds: -5 }, '400 invalid_request'],
    ['half a second', { ...OPENING, ttl_seconds: 0.5 }, '400 invalid_request'],
    ['a ttl as text', { ...OPENING, ttl_seconds: '60' }, '400 invalid_request'],
    ['an endless ttl', { ...OPENING, ttl_seconds: 1e300 }, '400 invalid_request'],
    ['delegation', { ...OPENING, delegation: 'x' }, '400 invalid_request'],
    ['a label of no text', { ...OPENING, labels: { a: 1 } }, '400 invalid_request'],
    ['an odd label', { ...OPENING, labels: { 'a b': 'x' } }, '400 invalid_request'],
    [
      'too many labels',
      { ...OPENING, labels: Object.fromEntries([...Array(21).keys()].map((n) => [`l${n}`, 'x'])) },
      '400 invalid_request',
    ],
  ]
  it.each(cases)('%s is refused, and nothing happens', async (_, body, expected) => {
    const api = await testApi()
    await expectRefused(api, 'POST /v1/tasks', { token: await api.evidence(), body }, expected)
  })

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', 'json'])(
    'a body said to be %s is refused',
    async (type) => {
      const api = await testApi()
      const headers = { 'content-type': type }
      const sent = { token: await api.evidence(), body: JSON.stringify(OPENING), headers }
      await expectRefused(api, 'POST /v1/tasks', sent, '415 unsupported_media_type')
    },
  )

  it('every problem is named at once, with its path', async () => {
    const { call, evidence } = await testApi()
    const intent = [{ ...TICKET, actions: ['read', ''], locations: 7 }]
    const { body } = await call('POST /v1/tasks', {
      token: await evidence(),
      body: { purpose: '', intent, ttl_seconds: 0, labels: { a: '\u0000' } },
    })
    const paths = body.errors.map((one: { path: string }) => one.path)
    expect(paths).toEqual([
      'purpose',
      'intent[0].actions[1]',
      'intent[0].locations',
      'ttl_seconds',
      'labels.a',
    ])
    for (const { message } of body.errors) expect(message).toMatch(/^[a-z][^.]*$/)
  })
})

describe('what bad evidence gets', () => {
  const NONE = Buffer.from('{"alg":"none"}').toString('base64url')
  const cases: [string, (api: Api) => Promise<string>][] = [
    ['an expired token', ({ evidence }) => evidence({ exp: 1_000 })],
    ['a token of another audience', ({ evidence }) => evidence({ aud: 'others' })],
    ['a token of an unknown issuer', ({ evidence }) => evidence({ iss: 'https://other.example' })],
    ['alg none', async ({ evidence }) => `${NONE}.${(await evidence()).split('.')[1]}.`],
    [
      "another issuer's key",
      async ({ issuer, evidence }) => {
        const { newKey } = await import('../identity/issuer-server.ts')
        const claims = JSON.parse(
          Buffer.from((await evidence()).split('.')[1] ?? '', 'base64url').toString(),
        )
        return await issuer.sign(claims, { key: await newKey('key-1') })
      },
    ],
    ['no JWT at all', async () => 'junk'],
  ]
  it.each(cases)('%s is refused with the same words as any other', async (_, make) => {
    const api = await testApi()
    const { status, body, headers } = await api.call('POST /v1/tasks', {
      token: await make(api),
      body: OPENING,
    })
    expect([status, body.code, body.detail]).toEqual([
      401,
      'unauthenticated',
      'the evidence was not accepted',
    ])
    expect(headers.get('www-authenticate')).toMatch(/^Bearer/)
    expect(await api.store.tasks.list({ tenants: null }, { limit: 9, after: undefined })).toEqual(
      [],
    )
  })

  it.each([
    {},
    { authorization: 'Basic eDp5' },
    { authorization: 'Bearer' },
    { authorization: `Bearer ${'x'.repeat(20_000)}` },
  ])('a request with %j is not let in', async (headers) => {
    const { refusal } = await testApi()
    expect(await refusal('GET /v1/leases', { headers })).toBe('401 unauthenticated')
    expect(await refusal('POST /v1/tasks', { headers, body: OPENING })).toBe('401 unauthenticated')
  })

  it('an operator token that has expired is refused', async () => {
    const { refusal, operators } = await testApi({
      change: (doc) => {
        for (const operator of doc.operators) operator.expires_at = '2027-01-01'
      },
    })
    expect(await refusal('GET /v1/leases', { token: operators.admin })).toBe('401 unauthenticated')
  })
})

describe('what bad input gets elsewhere', () => {
  it('in a credential request', async () => {
    const api = await testApi()
    const task = await api.open()
    const bodies = [
      {},
      { entitlement: '' },
      { entitlement: 'tickets-read', ttl_seconds: 0 },
      { entitlement: 'tickets-read', ttl_seconds: -1 },
      { entitlement: 'tickets-read', intent: [] },
      { entitlement: 'tickets-read', extra: 1 },
      { entitlement: ['tickets-read'] },
    ]
    for (const body of bodies) {
      const sent = { token: task.token, body }
      await expectRefused(api, `POST /v1/tasks/${task.id}/credentials`, sent, '400 invalid_request')
    }
    expect(api.upstream.minted).toEqual([])
  })

  it('in an intent that the upstream cannot express', async () => {
    const { open, issue, store } = await testApi({
      change: (doc) => {
        doc.entitlements[0].ceiling[0].locations = ['/*']
      },
    })
    const intent = [{ ...TICKET, locations: ['/unsayable'] }]
    const answer = await issue(await open({ intent }))
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_intent'])
    const [decision] = await store.decisions.list(
      { tenants: null, outcome: 'deny' },
      { limit: 9, after: undefined },
    )
    expect(decision?.rails).toEqual(['not-expressible'])
  })

  it('in an order to kill', async () => {
    const api = await testApi()
    const token = api.operators.responder
    const good = { selector: { agent: 'summariser' }, reason: 'drill' }
    const bodies = [
      {},
      { ...good, selector: {} },
      { ...good, selector: { agent: 'a', all: true } },
      { ...good, selector: { all: false } },
      { ...good, selector: { nobody: 'a' } },
      { ...good, reason: '' },
      { ...good, reason: `a${BIDI}` },
      { ...good, block_seconds: -1 },
      { ...good, dry_run: 'yes' },
      { ...good, extra: 1 },
    ]
    for (const body of bodies) {
      await expectRefused(api, 'POST /v1/kills', { token, body }, '400 invalid_request')
    }
    expect(await api.store.kills.liveBlocks(api.clock.now())).toEqual([])
  })

  it('in a query', async () => {
    const { refusal, operators } = await testApi()
    const token = operators.responder
    const queries = [
      'limit=0',
      'limit=501',
      'limit=x',
      'limit=1&limit=2',
      'cursor=x',
      'state=x',
      'a=b',
    ]
    for (const query of queries) {
      expect(await refusal(`GET /v1/leases?${query}`, { token }), query).toBe('400 invalid_request')
    }
    const cursor = Buffer.from("1.lease_' or 1=1").toString('base64url')
    expect(await refusal(`GET /v1/leases?cursor=${cursor}`, { token })).toBe('400 invalid_request')
  })

  it('in a path nobody serves, or another method than it knows', async () => {
    const { call, refusal } = await testApi()
    for (const path of ['/', '/v1', '/v1/tasks/', '/v2/tasks', '/v1/tasks/x/y/z', '/console']) {
      expect(await refusal(`GET ${path}`), path).toBe('404 not_found')
    }
    const answer = await call('DELETE /v1/tasks')
    expect([answer.status, answer.body.code]).toEqual([405, 'method_not_allowed'])
    expect(answer.headers.get('allow')).toBe('POST, GET')
    expect(await refusal('OPTIONS /v1/tasks')).toBe('405 method_not_allowed')
    expect(await refusal('PUT /v1/tasks/x')).toBe('405 method_not_allowed')
  })

  it('in a signal that is signed but makes no sense', async () => {
    const api = await testApi()
    for (const body of [
      {},
      { subject: {} },
      { subject: { all: true }, level: 'BAD', reason: 'x' },
    ]) {
      const sent = api.delivery(body)
      await expectRefused(api, 'POST /v1/signals/siem', sent, '400 invalid_request')
    }
    const huge = api.delivery({ reason: 'x'.repeat(70_000) })
    await expectRefused(api, 'POST /v1/signals/siem', huge, '413 payload_too_large')
  })

  it('a body on a call that needs none is ignored only if it says nothing', async () => {
    const { open, call } = await testApi()
    const { id, token } = await open()
    const line = `POST /v1/tasks/${id}/heartbeat`
    for (const body of [undefined, {}, '{}']) {
      const sent = body === undefined ? { token } : { token, body }
      expect((await call(line, sent)).status).toBe(200)
    }
    expect((await call(line, { token, body: { extra: 1 } })).body.errors[0].path).toBe('extra')
  })
})

describe('what misbehaving upstreams get', () => {
  it('a refusal is told, and the lease has failed', async () => {
    const { open, issue, upstream, store } = await testApi()
    upstream.mint = 'refuse'
    const answer = await issue(await open())
    expect([answer.status, answer.body.code]).toEqual([502, 'upstream_refused'])
    const [lease] = await store.leases.list({ tenants: null }, { limit: 9, after: undefined })
    expect(lease).toMatchObject({ state: 'failed', lastError: 'AccessDenied' })
  })

  it.each(['unknown', 'garbage'] as const)('an %s answer is chased', async (mode) => {
    const { open, issue, upstream, store } = await testApi()
    upstream.mint = mode
    const answer = await issue(await open())
    expect([answer.status, answer.body.code]).toEqual([503, 'upstream_unavailable'])
    const [lease] = await store.leases.list({ tenants: null }, { limit: 9, after: undefined })
    expect(lease).toMatchObject({ state: 'ending', cause: 'unknown-outcome' })
  })

  it('one that fails again and again is left alone for as long as the refusal says', async () => {
    const { open, issue, upstream, advance, as } = await testApi()
    const task = await open()
    upstream.mint = 'unknown'
    for (let n = 0; n < 5; n += 1) await issue(task)
    upstream.mint = 'ok'
    const refused = await issue(task)
    expect([refused.status, refused.body.code]).toEqual([503, 'upstream_unavailable'])
    const [decision] = (await as('admin', 'GET /v1/decisions?outcome=deny')).body.items
    expect(decision.rails).toEqual(['mint-circuit'])
    const seconds = Number(refused.headers.get('retry-after'))
    await advance(seconds * 1_000 - 1)
    expect((await issue(task)).status).toBe(503)
    await advance(1)
    expect((await issue(task)).status).toBe(201)
  })

  it('one that hangs is given up at the deadline; its late answer is chased, never told', async () => {
    const { open, issue, upstream, store, advance } = await testApi()
    const task = await open()
    upstream.mint = 'hold'
    const reached = upstream.reached()
    const answer = issue(task)
    await reached
    await advance(10_000)
    expect((await answer).body.code).toBe('upstream_unavailable')
    upstream.release()
    await advance(1)
    const [lease] = await store.leases.list({ tenants: null }, { limit: 9, after: undefined })
    expect(lease).toMatchObject({ state: 'ending', cause: 'unknown-outcome' })
    expect(lease?.handle).not.toBeNull()
  })

  it('P17: one that lives in another time gets no further mint', async () => {
    const { open, issue, upstream, store } = await testApi()
    const task = await open()
    upstream.skewMs = 31_000
    expect((await issue(task)).body.code).toBe('not_revocable_now')
    expect(await store.leases.countActive({})).toBe(0)
    const again = await issue(task)
    expect(again.body.code).toBe('not_revocable_now')
    expect(Number(again.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(upstream.minted).toHaveLength(1)
  })
})

describe('fuzz', () => {
  const DESIGNED = [502, 503]

  it('no JSON in no place makes the API fail', async () => {
    const api = await testApi({
      change: (doc) => {
        doc.limits = { issues_per_minute_per_agent: 1_000_000, open_tasks_per_agent: 1_000_000 }
      },
    })
    const task = await api.open()
    const evidence = await api.evidence()
    const { responder } = api.operators
    const places: [string, string][] = [
      ['POST /v1/tasks', evidence],
      [`POST /v1/tasks/${task.id}/credentials`, task.token],
      ['POST /v1/kills', responder],
      ['POST /v1/reload', api.operators.admin],
    ]
    const near = fc.record(
      {
        purpose: fc.oneof(fc.string(), fc.constant('x')),
        intent: fc.oneof(fc.constant([TICKET]), fc.array(fc.anything())),
        entitlement: fc.oneof(fc.constant('tickets-read'), fc.string()),
        selector: fc.dictionary(fc.constantFrom('agent', 'task', 'all'), fc.jsonValue()),
        reason: fc.string(),
        ttl_seconds: fc.oneof(fc.integer(), fc.double()),
        dry_run: fc.constant(true),
      },
      { requiredKeys: [] },
    )
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      near.map((value) => JSON.stringify(value)),
    )
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), body, async ([line, token], text) => {
        const { status } = await api.call(line, { token, body: text })
        expect(status < 500 || DESIGNED.includes(status)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('no bytes, paths, queries or headers make it fail', async () => {
    const api = await testApi()
    const ascii = fc.string({
      unit: fc.integer({ min: 33, max: 126 }).map((n) => String.fromCharCode(n)),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          method: fc.constantFrom('GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'HEAD'),
          path: fc.array(
            fc.oneof(
              ascii,
              fc.constantFrom('v1', 'tasks', 'leases', 'signals', '..', '%', '%00', '%ff'),
            ),
          ),
          query: ascii,
          bytes: fc.uint8Array({ maxLength: 200 }),
          header: ascii,
        }),
        async ({ method, path, query, bytes, header }) => {
          const bare = method === 'GET' || method === 'HEAD'
          const url = `http://localhost/${path.join('/').replace(/[?#]/g, '')}?${query.replace('#', '')}`
          if (!URL.canParse(url)) return
          const response = await api.app.request(url, {
            method,
            headers: {
              authorization: `Bearer ${api.operators.admin}`,
              'idempotency-key': header,
              'x-request-id': header,
              'content-type': 'application/json',
            },
            ...(bare ? {} : { body: new Uint8Array(bytes) }),
          })
          await response.text()
          expect(response.status).toBeLessThan(500)
        },
      ),
      { numRuns: 300 },
    )
  })
})
