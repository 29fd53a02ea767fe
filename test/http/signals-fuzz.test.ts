import fc from 'fast-check'
import { expect, test } from 'vitest'
import { STATUS_OF } from '../../src/errors.ts'
import { AUDIENCE, CAEP, RISC, type Transmitter, testTransmitter } from '../fixture/events.ts'

const ALERT_SECRET = 'k3Jq-0123456789abcdefghijklmnopqrst'
const CHARACTERS = fc.constantFrom(...'AZaz09-_.=+/ \u0000é{":,')
const MUTATION = fc.tuple(fc.nat(), fc.nat(4), fc.string({ unit: CHARACTERS, maxLength: 6 }))

function house(): Promise<Transmitter> {
  return testTransmitter(
    { max_subjects_per_minute: 100_000 },
    {
      secrets: { 'env:PATH_SECRET': ALERT_SECRET },
      change: (document) => {
        for (const source of document.signals.sources) source.max_subjects_per_minute = 100_000
        document.signals.sources.push({
          name: 'alerts',
          type: 'webhook',
          preset: 'sentinel',
          path_secret: 'env:PATH_SECRET',
          networks: ['198.51.100.0/24'],
          max_subjects_per_minute: 100_000,
        })
      },
    },
  )
}

/** Everything a message could have changed. */
async function stateOf(api: Transmitter) {
  const lists = await Promise.all(
    ['/v1/signals', '/v1/risk', '/v1/blocks', '/v1/tasks', '/v1/leases', '/v1/audit/head'].map(
      async (path) => (await api.as('admin', `GET ${path}`)).body,
    ),
  )
  return JSON.stringify(lists)
}

function mutated(good: string, [at, removed, inserted]: readonly [number, number, string]): string {
  const place = at % good.length
  return good.slice(0, place) + inserted + good.slice(place + removed)
}

test('P10: 5,000 mutated events, webhooks and alerts change nothing', {
  timeout: 60_000,
}, async () => {
  const api = await house()
  await api.issue(await api.open())
  const set = await api.issuer.sign(
    { ...api.set(`${RISC}account-disabled`) },
    { header: { typ: 'secevent+jwt' } },
  )
  const signed = api.delivery({ subject: { tenant: 'support' }, level: 'HIGH', reason: 'x' })
  const alert = JSON.stringify({
    agent: 'summariser',
    object: { properties: { severity: 'High' } },
  })
  const before = await stateOf(api)
  const send = async (path: string, init: { body: string; headers?: Record<string, string> }) => {
    const answer = await api.app.request(
      path,
      { method: 'POST', ...init },
      { incoming: { socket: { remoteAddress: '198.51.100.7' } } },
    )
    return answer.status
  }
  const sends: readonly [
    string,
    number,
    (mutation: [number, number, string]) => Promise<number> | undefined,
  ][] = [
    [
      'event',
      2_500,
      (mutation) => {
        const body = mutated(set, mutation)
        if (body === set) return undefined
        const headers = { 'content-type': 'application/secevent+jwt' }
        return send('/v1/ssf/idp', { body, headers })
      },
    ],
    [
      'webhook body',
      1_000,
      (mutation) => {
        const body = mutated(signed.body, mutation)
        return body === signed.body
          ? undefined
          : send('/v1/signals/siem', { headers: signed.headers, body })
      },
    ],
    [
      'webhook header',
      1_000,
      (mutation) => {
        const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature']
        const name = names[mutation[0] % 3] ?? ''
        const value = mutated(signed.headers[name] ?? '', mutation).replace(/[^\x20-\x7e]/g, '?')
        // Blanks around a value are not part of it, and further signatures may stand beside it.
        const same = value
          .trim()
          .split(' ')
          .includes(signed.headers[name] ?? '')
        if (same) return undefined
        return send('/v1/signals/siem', {
          ...signed,
          headers: { ...signed.headers, [name]: value },
        })
      },
    ],
    [
      'secret path',
      500,
      (mutation) => {
        const secret = encodeURIComponent(mutated(ALERT_SECRET, mutation))
        return secret === ALERT_SECRET
          ? undefined
          : send(`/v1/signals/alerts/unsigned/${secret}`, { body: alert })
      },
    ],
  ]
  for (const [name, numRuns, attempt] of sends) {
    await fc.assert(
      fc.asyncProperty(MUTATION, async (mutation) => {
        const sent = attempt(mutation)
        fc.pre(sent !== undefined)
        expect([400, 401, 404], name).toContain(await sent)
      }),
      { numRuns },
    )
  }
  expect(await stateOf(api)).toBe(before)
  // What was mutated was good.
  expect(await send('/v1/signals/siem', signed)).toBe(202)
  const headers = { 'content-type': 'application/secevent+jwt' }
  expect(await send('/v1/ssf/idp', { body: set, headers })).toBe(202)
  expect(await send(`/v1/signals/alerts/unsigned/${ALERT_SECRET}`, { body: alert })).toBe(202)
})

test('P3: whatever an authentic event or alert says, it reaches nobody it does not name', {
  timeout: 60_000,
}, async () => {
  const api = await house()
  const task = await api.open()
  const text = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom('biller', 'billing', '*', '__proto__'),
  )
  const anything = fc.jsonValue({ maxDepth: 3 })
  const identifier = fc.oneof(
    anything,
    fc.record({ format: fc.constantFrom('opaque', 'email', 'complex', 'aliases'), id: text }),
    fc.record({
      format: fc.constant('complex'),
      user: fc.oneof(anything, fc.record({ format: fc.constant('opaque'), id: text })),
      tenant: fc.constant({ format: 'opaque', id: 'support' }),
    }),
  )
  const event = fc.tuple(
    fc.constantFrom(
      `${CAEP}session-revoked`,
      `${RISC}account-disabled`,
      `${CAEP}risk-level-change`,
      'urn:x',
    ),
    fc.oneof(anything, fc.record({ principal: text, current_level: fc.constantFrom('HIGH', 'x') })),
  )
  const odd = fc.option(anything, { nil: undefined })
  let number = 0
  await fc.assert(
    fc.asyncProperty(identifier, event, odd, async (sub_id, [type, said], toe) => {
      number += 1
      const claims = {
        ...api.set(type),
        jti: `odd-${number}`,
        aud: AUDIENCE,
        sub_id,
        toe,
        events: { [type]: said },
      }
      const answer = await api.push(claims)
      expect([202, 400]).toContain(answer.status)
    }),
    { numRuns: 400 },
  )
  const alert = fc.record({ agent: fc.oneof(anything, text), task: anything, object: anything })
  await fc.assert(
    fc.asyncProperty(alert, async (body) => {
      const answer = await api.app.request(
        `/v1/signals/alerts/unsigned/${ALERT_SECRET}`,
        { method: 'POST', body: JSON.stringify(body) },
        { incoming: { socket: { remoteAddress: '198.51.100.7' } } },
      )
      expect([202, STATUS_OF.invalid_request]).toContain(answer.status)
    }),
    { numRuns: 400 },
  )
  await api.advanceKills()
  expect((await api.as('admin', `GET /v1/tasks/${task.id}`)).body.state).toBe('open')
  expect((await api.issue(task)).status).toBe(201)
})
