import { describe, expect, test } from 'vitest'
import type { PolicySource } from '../../src/policy/policy-set.ts'
import { type Doc, starterPolicies } from '../fixture/broker.ts'
import { type Api, testApi } from '../fixture/http.ts'

const SECRET = 'k3Jq-0123456789abcdefghijklmnopqrst'
const NETWORK = '198.51.100.7'

/** What each vendor's documentation shows, with whom it is about where that is the operator's part. */
const VENDORS = {
  // https://docs.splunk.com/Documentation/Splunk/latest/Alert/Webhooks
  splunk: {
    result: { sourcetype: 'mongod', count: '8', mayfly_agent: 'summariser' },
    sid: 'scheduler_admin_search_W2_at_14232356_132',
    results_link:
      'http://web.example.local:8000/app/search/@go?sid=scheduler_admin_search_W2_at_14232356_132',
    search_name: null,
    owner: 'admin',
    app: 'search',
  },
  // https://learn.microsoft.com/azure/sentinel/automation/playbook-triggers-actions (incident
  // trigger) and the incident of its API, https://learn.microsoft.com/rest/api/securityinsights/incidents/get
  sentinel: {
    object: {
      name: '73e01a99-5cd7-4139-a149-9f2736ff2ab5',
      properties: {
        title: 'Anomalous read of customer tickets',
        severity: 'High',
        status: 'New',
        incidentNumber: 3177,
        alerts: [],
        relatedEntities: [],
      },
    },
    agent: 'summariser',
  },
  // https://www.elastic.co/guide/en/kibana/current/rule-action-variables.html: a body of one's own,
  // {"rule":{"id":"{{rule.id}}","name":"{{rule.name}}"},"alert":{"id":"{{alert.id}}"},"date":"{{date}}",…}
  elastic: {
    rule: { id: '4d0c5e0a-1b7b-4a7e-9d43-0e5c5c1b4f2a', name: 'Agent reads too much' },
    alert: { id: 'summariser' },
    date: '2026-11-25T10:00:00.000Z',
    severity: 'critical',
    agent: 'summariser',
  },
  // https://docs.datadoghq.com/integrations/webhooks/: a payload of one's own,
  // {"id":"$ID","title":"$EVENT_TITLE","alert_transition":"$ALERT_TRANSITION",
  //  "alert_priority":"$ALERT_PRIORITY","tags":"$TAGS"}
  datadog: {
    id: '1234567',
    title: '[Triggered] [Memory Alert]',
    alert_transition: 'Triggered',
    alert_priority: 'P1',
    tags: 'monitor, name:myService, role:computing-node, mayfly_agent:summariser',
  },
} as const

type Vendor = keyof typeof VENDORS

const ANYBODY_SENDS = {
  name: 'anybody.cedar',
  text: '@id("anybody-sends")\npermit (principal is Mayfly::Operator, action == Mayfly::Action::"sendSignal", resource);',
}

function house(
  preset: Vendor,
  source: Doc = {},
  policies: readonly PolicySource[] = starterPolicies(),
): Promise<Api> {
  return testApi({
    policies,
    secrets: { 'env:PATH_SECRET': SECRET },
    change: (document) => {
      document.signals.sources.push({
        name: 'alerts',
        type: 'webhook',
        preset,
        path_secret: 'env:PATH_SECRET',
        networks: ['198.51.100.0/24', '2001:db8::/32'],
        ...source,
      })
    },
  })
}

/** Sends as from an address. */
async function send(
  api: Api,
  body: unknown,
  { secret = SECRET, from = NETWORK, source = 'alerts' } = {},
  // biome-ignore lint/suspicious/noExplicitAny: tests look at any part of an answer
): Promise<{ status: number; body: any }> {
  const answer = await api.app.request(
    `/v1/signals/${source}/unsigned/${secret}`,
    { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) },
    { incoming: { socket: { remoteAddress: from } } },
  )
  return { status: answer.status, body: await answer.json() }
}

async function levels(api: Api): Promise<string[]> {
  const { items } = (await api.as('admin', 'GET /v1/risk')).body
  return items.map((one: { level: string }) => one.level).toSorted()
}

describe('an alert of a sender that cannot sign', () => {
  for (const vendor of Object.keys(VENDORS) as Vendor[]) {
    test(`P8: ${vendor}'s own message ends the agent it names and blocks it`, async () => {
      const api = await house(vendor)
      const task = await api.open()
      const answer = await send(api, VENDORS[vendor])
      expect(answer).toMatchObject({
        status: 202,
        body: { signal: { subject: { agent: 'summariser' }, level: 'HIGH', action: 'kill' } },
      })
      await api.advanceKills()
      expect((await api.as('admin', `GET /v1/tasks/${task.id}`)).body.state).toBe('ended')
      await expect(api.open()).rejects.toThrow('"status":403')
      // Sent again because no answer came: no second effect.
      const { id } = answer.body.signal
      expect((await send(api, VENDORS[vendor])).body.signal.id).toBe(id)
      expect((await api.as('admin', 'GET /v1/blocks')).body.items).toHaveLength(1)
    })
  }

  test('needs the secret in its path and a network it is known to come from', async () => {
    const api = await house('splunk')
    for (const wrong of [
      { secret: SECRET.replace('k', 'K') },
      { from: '203.0.113.9' },
      { from: '::ffff:203.0.113.9' },
      { from: 'nonsense' },
      { source: 'siem' },
      { source: 'nobody' },
    ]) {
      expect(await send(api, VENDORS.splunk, wrong)).toMatchObject({
        status: 401,
        body: { code: 'unauthenticated', detail: 'the signal was not accepted' },
      })
    }
    // Written by whoever sends it, and nothing here says that a proxy did.
    const forged = await api.call(`POST /v1/signals/alerts/unsigned/${SECRET}`, {
      body: VENDORS.splunk,
      headers: { 'x-forwarded-for': NETWORK },
    })
    expect(forged.status).toBe(401)
    // P2: the secret stands in an address, and addresses like to be written down.
    expect(JSON.stringify(api.logged)).not.toContain(SECRET)
    expect((await api.as('admin', 'GET /v1/signals')).body.items).toEqual([])
    expect((await send(api, VENDORS.splunk, { from: `::ffff:${NETWORK}` })).status).toBe(202)
    expect((await send(api, VENDORS.splunk, { from: '2001:db8::7' })).status).toBe(202)
  })

  test('behind a proxy only the address that the proxy itself noted counts', async () => {
    const api = await house('splunk')
    api.reconfigure((document) => {
      document.server = { behind_proxy: true }
    })
    const from = (forwarded: string) =>
      api.call(`POST /v1/signals/alerts/unsigned/${SECRET}`, {
        body: VENDORS.splunk,
        headers: { 'x-forwarded-for': forwarded },
      })
    expect((await from(`${NETWORK}, 203.0.113.9`)).status).toBe(401)
    expect((await from(`203.0.113.9, ${NETWORK}`)).status).toBe(202)
  })

  test('never lowers risk: a milder alert stands beside a worse one', async () => {
    const api = await house('sentinel')
    const incident = (severity: string) => ({
      ...VENDORS.sentinel,
      object: { name: severity, properties: { title: 'x', severity } },
    })
    await send(api, incident('High'))
    await send(api, incident('Medium'))
    await send(api, incident('Low'))
    await send(api, incident('Informational'))
    expect(await levels(api)).toEqual(['HIGH', 'MEDIUM'])
    // Nor does one nobody understands.
    expect((await send(api, incident('Unheard of'))).body.signal.level).toBe('HIGH')
  })

  test('a recovery is kept without effect', async () => {
    const api = await house('datadog')
    await send(api, VENDORS.datadog)
    const recovered = { ...VENDORS.datadog, alert_transition: 'Recovered' }
    expect((await send(api, recovered)).body.signal).toMatchObject({ action: 'note' })
    expect(await levels(api)).toEqual(['HIGH'])
  })

  test('P3: what names nobody, somebody unknown or two at once is kept without effect', async () => {
    const api = await house('datadog')
    const task = await api.open()
    const tags = [
      '',
      'mayfly_agent:',
      'mayfly_agent:$TAGS',
      'mayfly_agent:nobody',
      'mayfly_agent:summariser,mayfly_agent:biller',
      'mayfly_task:nothing',
    ]
    for (const one of tags) {
      const { status, body } = await send(api, { ...VENDORS.datadog, tags: one })
      expect([status, body.signal.action, body.signal.subject]).toEqual([202, 'note', {}])
    }
    await api.advanceKills()
    expect((await api.as('admin', `GET /v1/tasks/${task.id}`)).body.state).toBe('open')
    const twice = '{"tags":"mayfly_agent:biller","tags":"mayfly_agent:summariser"}'
    expect((await send(api, twice)).status).toBe(400)
  })

  test('may name agents and tasks alone, within its scope', async () => {
    const map = { subject: { tenant: 'tenant', workload: 'workload', agent: 'agent' } }
    const api = await house('sentinel', { map, scope: { tenants: ['support'] } })
    const wide = await send(api, { tenant: 'support' })
    expect(wide.body.signal).toMatchObject({
      action: 'note',
      about: { why: expect.stringMatching(/not signed/) },
    })
    expect((await send(api, { workload: 'corp/robot' })).body.signal.action).toBe('note')
    expect((await send(api, { agent: 'summariser', tenant: 'billing' })).status).toBe(403)
    expect((await send(api, { agent: 'biller' })).body.signal.matched.tasks).toBe(0)
  })

  test.each([
    { scope: { tenants: ['support'] }, field: 'agent', foreign: 'biller' },
    { scope: { tenants: ['support'] }, field: 'tenant', foreign: 'billing' },
    { scope: { agents: ['summariser'] }, field: 'agent', foreign: 'biller' },
    { scope: { tenants: ['support'], agents: ['summariser'] }, field: 'agent', foreign: 'twin-1' },
  ])('P11: cannot tell by the answer whether a foreign $field is here', async (row) => {
    const map = { subject: { agent: 'agent', tenant: 'tenant' } }
    const api = await house('sentinel', { map, scope: row.scope })
    const said = async (name: string) => {
      const { status, body } = await send(api, { [row.field]: name })
      if (status !== 202) return { status, detail: body.detail.replace(name, 'NAME') }
      const { id, message_id, about, kill, ...signal } = body.signal
      return { status, signal, why: about.why, kills: kill !== undefined }
    }
    expect(await said(row.foreign)).toEqual(await said('nobody-here'))
  })

  test('P13: no text of blanks keeps everybody waiting', async () => {
    const api = await house('datadog')
    const blanks = ' '.repeat(60_000)
    const started = performance.now()
    for (const tags of [blanks, `mayfly_agent:${blanks}x`, `a:x,${blanks}:x`]) {
      const { body } = await send(api, { ...VENDORS.datadog, tags })
      expect(body.signal.action).toBe('note')
    }
    expect(performance.now() - started).toBeLessThan(1_500)
    const tags = ' a ,  mayfly_agent:summariser  '
    expect((await send(api, { ...VENDORS.datadog, tags })).body.signal.action).toBe('kill')
  })
})

test('a signed sender may use a map, and lower what it said itself', async () => {
  const api = await testApi({
    change: (document) => {
      document.signals.sources[0].map = {
        subject: { tenant: 'who.0.tenant' },
        level: ['rule', 'kibana.alert.severity'],
        ttl: '1h',
      }
    },
  })
  const say = (severity: string) =>
    api.call(
      'POST /v1/signals/siem',
      api.delivery({
        who: [{ tenant: 'support' }],
        rule: { 'kibana.alert.severity': severity },
      }),
    )
  expect((await say('MEDIUM')).status).toBe(202)
  expect(await levels(api)).toEqual(['MEDIUM'])
  await say('low')
  expect(await levels(api)).toEqual(['LOW'])
})

test('what a message would do is shown and nothing is done', async () => {
  const api = await house('splunk', {}, [...starterPolicies(), ANYBODY_SENDS])
  const task = await api.open()
  await api.issue(task)
  const tested = await api.as('admin', 'POST /v1/signals/alerts/test', VENDORS.splunk)
  expect(tested.body).toEqual({
    signature: 'not-checked',
    message_id: expect.any(String),
    about: { subject: { agent: 'summariser' } },
    subjects: [{ agent: 'summariser' }],
    level: 'HIGH',
    action: 'kill',
    reason: 'alert',
    matched: { leases: 1, tasks: 1, agents: 1 },
  })
  expect((await api.as('admin', 'GET /v1/signals')).body.items).toEqual([])
  expect((await api.as('admin', 'GET /v1/blocks')).body.items).toEqual([])
  // It says who is known here, so it is not for operators of some tenants.
  for (const operator of ['support', 'supportAuditor'] as const) {
    const refused = await api.as(operator, 'POST /v1/signals/alerts/test', VENDORS.splunk)
    expect(refused.status).toBe(403)
  }
  expect((await api.as('admin', 'POST /v1/signals/none/test', {})).status).toBe(404)
})
