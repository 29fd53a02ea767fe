/**
 * What the certification scenario of AuthZEN 1.0 (openid/authzen,
 * certification/authorization-api-1_0-scenario.md) asks of a decision point, levels Basic, Batch and
 * Discovery. Its users are tasks here, what they may do is their intent, and what it says by
 * properties is said by what Mayfly reads: the location, and constraints of the action.
 */
import { describe, expect, it } from 'vitest'
import { gatewayToken } from '../fixture/broker.ts'
import { ask, askAll, named } from '../fixture/gateway.ts'
import { type Api, testApi } from '../fixture/http.ts'
import { wordsHouse } from '../fixture/words-provider.ts'

const EVALUATION = 'POST /access/v1/evaluation'
const token = gatewayToken('tools')
const RECORD = { type: 'record', id: 'record-1' }
const ARCHIVED = { type: 'record', id: 'record-2' }

function may(actions: string[], locations: string[], constraints?: object) {
  const item = { type: 'record', identifier: 'records', actions, locations }
  return constraints ? { ...item, constraints } : item
}

async function scenario() {
  const api = await testApi(wordsHouse('record', ['alice', 'bob']))
  const open = async (sub: string, intent: object[]) => named(await api.open({ intent }, { sub }))
  const alice = await open('alice', [
    may(['read'], ['*']),
    may(['write'], ['record-1']),
    may(['delete'], ['record-1'], { soft: ['true'] }),
  ])
  const bob = await open('bob', [may(['read'], ['*'])])
  const admin = await open('bob', [may(['read', 'write'], ['*'])])
  return { api, alice, bob, admin }
}

function softly(soft: string) {
  return { name: 'delete', properties: { constraints: { soft: [soft] } } }
}

describe('AuthZEN certification, Basic', () => {
  it('decides the eight rows of the fixture, however often it is asked', async () => {
    const { api, alice, bob, admin } = await scenario()
    const rows: [object, object, object, boolean][] = [
      [alice, { name: 'read' }, RECORD, true],
      [alice, { name: 'write' }, RECORD, true],
      [bob, { name: 'read' }, RECORD, true],
      [bob, { name: 'write' }, RECORD, false],
      [alice, { name: 'write' }, ARCHIVED, false],
      [admin, { name: 'write' }, ARCHIVED, true],
      [alice, softly('true'), RECORD, true],
      [alice, softly('false'), RECORD, false],
    ]
    for (const [subject, action, resource, decision] of [...rows, ...rows]) {
      const answer = await ask(api, { subject, action, resource })
      const told = [subject, action, resource, answer.status, answer.body.decision]
      expect(told).toEqual([subject, action, resource, 200, decision])
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    }
  })

  it('P3: ignores what it does not know, also where that claims a right', async () => {
    const { api, alice, bob } = await scenario()
    const more = {
      context: { time: '2025-06-27T18:03-07:00', role: 'admin' },
      foo: 'bar',
      future: { nested: true },
    }
    const claiming = { ...bob, properties: { role: 'admin', department: 'Sales' } }
    const write = { name: 'write', properties: { method: 'GET', soft: true } }
    const resource = { ...RECORD, properties: { status: 'active', owner: 'bob' } }
    const permitted = { subject: alice, action: write, resource, ...more }
    expect((await ask(api, permitted)).body.decision).toBe(true)
    const claimed = await ask(api, { ...permitted, subject: claiming })
    expect(claimed.body).toMatchObject({ decision: false, context: { reason: 'outside_intent' } })
  })

  it('answers 400 and a message to a request that is none', async () => {
    const { api, alice: subject } = await scenario()
    const action = { name: 'read' }
    const bad = [
      { action, resource: RECORD },
      { subject, resource: RECORD },
      { subject, action },
      { subject: { id: 'x' }, action, resource: RECORD },
      { subject: { type: 'task' }, action, resource: RECORD },
      { subject, action: {}, resource: RECORD },
      { subject, action, resource: { id: 'record-1' } },
      { subject, action, resource: { type: 'record' } },
      { subject: 'alice', action, resource: RECORD },
      { subject, action: { name: 123 }, resource: RECORD },
      { subject: { ...subject, id: null }, action, resource: RECORD },
      { subject, action: { name: '' }, resource: RECORD },
      [{ subject, action, resource: RECORD }],
      '{"subject":',
      '',
      'null',
    ]
    for (const body of bad) {
      const { status, body: message } = await api.call(EVALUATION, { token, body })
      expect([body, status, typeof message]).toEqual([body, 400, 'string'])
    }
    const whole = JSON.stringify({ subject, action, resource: RECORD })
    const typed = (type: string) =>
      api.call(EVALUATION, { token, body: whole, headers: { 'content-type': type } })
    expect((await typed('text/plain')).status).toBe(400)
    expect((await typed('application/x-www-form-urlencoded')).status).toBe(400)
    expect((await typed('application/json; charset=utf-8')).body.decision).toBe(true)
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
      const { status } = await api.call(`${method} /access/v1/evaluation`, { token })
      expect([method, status]).toEqual([method, 405])
    }
  })

  it('echoes X-Request-ID, and does without', async () => {
    const { api, alice: subject } = await scenario()
    const body = { subject, action: { name: 'read' }, resource: RECORD }
    const id = '0f1c1f7e-4c0a-4a5e-9f55-0a2b1de1a001'
    const headers = { 'x-request-id': id }
    const echoed = await api.call(EVALUATION, { token, body, headers })
    expect(echoed.headers.get('x-request-id')).toBe(id)
    const refused = await api.call(EVALUATION, { token, body: {}, headers })
    expect([refused.status, refused.headers.get('x-request-id')]).toEqual([400, id])
    expect((await api.call(EVALUATION, { token, body })).status).toBe(200)
  })
})

describe('AuthZEN certification, Batch', () => {
  const decisions = async (api: Api, body: object) => {
    const answer = await askAll(api, body)
    expect([answer.status, answer.text]).toEqual([200, answer.text])
    return answer.body.evaluations.map((one: { decision: unknown }) => one.decision)
  }

  it('answers every entry in its place, over defaults that an entry replaces', async () => {
    const { api, alice, bob, admin } = await scenario()
    const read = { name: 'read' }
    const write = { name: 'write' }
    const defaults = { subject: alice, action: read }
    const each = [{ resource: RECORD }, { resource: ARCHIVED, context: { source: 'override' } }]
    expect(await decisions(api, { ...defaults, evaluations: each })).toEqual([true, true])
    const ofBob = { subject: bob, resource: RECORD }
    const both = [{ action: read }, { action: write }]
    expect(await decisions(api, { ...ofBob, evaluations: both })).toEqual([true, false])
    const whole = both.map((one) => ({ ...ofBob, ...one }))
    expect(await decisions(api, { evaluations: whole.toReversed() })).toEqual([false, true])
    const writing = { subject: alice, action: write, context: { time: 'now' } }
    expect(await decisions(api, { ...writing, evaluations: each })).toEqual([true, false])
    const subjects = [{ subject: alice }, { subject: admin }]
    expect(
      await decisions(api, { action: write, resource: ARCHIVED, evaluations: subjects }),
    ).toEqual([false, true])
  })

  it('takes a type that an entry lacks from the default, and no property', async () => {
    const { api, alice } = await scenario()
    const elsewhere = { type: 'record', properties: { entitlement: 'tickets-read' } }
    const evaluations = [{ resource: { id: 'record-1' } }, { resource: ARCHIVED }]
    const asked = { subject: alice, action: { name: 'write' }, resource: elsewhere, evaluations }
    expect(await decisions(api, asked)).toEqual([true, false])
  })

  it('P3: refuses an entry that cannot be read, and none of the others with it', async () => {
    const { api, alice } = await scenario()
    const evaluations = [{ resource: RECORD }, {}, { resource: { type: 'record' } }, 'x', null, []]
    const { status, body } = await askAll(api, {
      subject: alice,
      action: { name: 'read' },
      evaluations,
    })
    expect(status).toBe(200)
    expect(body.evaluations.map((one: { decision: unknown }) => one.decision)).toEqual([
      true,
      ...Array.from({ length: 5 }, () => false),
    ])
    expect(body.evaluations[1]).toEqual({
      decision: false,
      context: { error: { status: 400, message: expect.stringContaining('resource is required') } },
    })
  })

  it('without entries is a single evaluation', async () => {
    const { api, alice: subject } = await scenario()
    const one = { subject, action: { name: 'read' }, resource: RECORD }
    for (const body of [one, { ...one, evaluations: [] }]) {
      expect((await askAll(api, body)).body).toEqual({
        decision: true,
        context: { evaluation_id: expect.stringMatching(/^dec_/) },
      })
    }
    for (const body of [{ subject, evaluations: [] }, { evaluations: {} }, { subject: 'alice' }]) {
      const { status, body: message } = await askAll(api, body)
      expect([body, status, typeof message]).toEqual([body, 400, 'string'])
    }
  })

  it('stops where its semantic says', async () => {
    const { api, alice: subject } = await scenario()
    const [yes, no, odd] = [{ action: { name: 'read' } }, { action: { name: 'burn' } }, {}]
    const asked = async (evaluations_semantic: string, evaluations: object[]) =>
      decisions(api, {
        subject,
        resource: RECORD,
        evaluations,
        options: { evaluations_semantic, unknown: 1 },
      })
    expect(await asked('execute_all', [yes, no, yes])).toEqual([true, false, true])
    expect(await asked('deny_on_first_deny', [yes, no, yes])).toEqual([true, false])
    expect(await asked('deny_on_first_deny', [yes, odd, yes])).toEqual([true, false])
    expect(await asked('deny_on_first_deny', [yes, yes])).toEqual([true, true])
    expect(await asked('permit_on_first_permit', [no, odd, yes, no])).toEqual([false, false, true])
    expect(await asked('permit_on_first_permit', [no, no])).toEqual([false, false])
    const options = { evaluations_semantic: 'guess' }
    const odder = await askAll(api, { subject, resource: RECORD, evaluations: [yes], options })
    expect(odder.status).toBe(400)
    const kept = (await api.as('admin', 'GET /v1/decisions?limit=100')).body.items
    const acts = kept.filter((one: { action: string }) => one.action === 'act')
    expect(acts, 'what was not reached was not decided').toHaveLength(3 + 2 + 1 + 2 + 2 + 2)
  })
})

describe('AuthZEN certification, Discovery', () => {
  it('says where evaluations are asked for, and offers no search', async () => {
    const { api } = await scenario()
    const { status, body } = await api.call('GET /.well-known/authzen-configuration')
    const base = 'http://127.0.0.1:8700'
    expect([status, body]).toEqual([
      200,
      {
        policy_decision_point: base,
        access_evaluation_endpoint: `${base}/access/v1/evaluation`,
        access_evaluations_endpoint: `${base}/access/v1/evaluations`,
      },
    ])
    expect((await api.call('POST /access/v1/search/subject', { token, body: {} })).status).toBe(404)
  })
})
