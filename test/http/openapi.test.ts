import { expect, it } from 'vitest'
import { z } from 'zod'
import { STATUS_OF } from '../../src/errors.ts'
import { DELETE } from '../fixture/approvals.ts'
import { gatewayToken } from '../fixture/broker.ts'
import { named, READ } from '../fixture/gateway.ts'
import { type Answer, type Api, type Sent, TICKET, testApi } from '../fixture/http.ts'
import { KeyHolder } from '../fixture/key-holder.ts'
import { basic, FORM, ownApi, READ_TICKET, tokenOf } from '../fixture/own-api.ts'

interface Document {
  openapi: string
  servers: { url: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object>; securitySchemes: Record<string, object> }
}
interface Operation {
  summary?: string
  description?: string
  security?: Record<string, unknown>[]
  requestBody?: object
  responses: Record<string, { content?: Record<string, { schema: object }> }>
}

it('all routes fit the fast router', async () => {
  const { app, call } = await testApi()
  await call('GET /livez')
  expect(app.router.name).toBe('SmartRouter + RegExpRouter')
})

it('every route is described, with who may call it and how it refuses', async () => {
  const { app, call } = await testApi()
  const { openapi, servers, paths, components } = (await call<Document>('GET /openapi.json')).body
  expect(openapi).toBe('3.1.0')
  expect(servers).toEqual([{ url: expect.stringMatching(/^https?:/) }])
  const served = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
    // Served as a parameter, so that the fast router can hold all routes.
    .map((line) => (line === 'POST /v1/endings/{id}' ? 'POST /v1/endings/retry' : line))
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(new Set(described)).toEqual(new Set(served))
  for (const [path, operations] of Object.entries(paths)) {
    for (const { security, responses } of Object.values(operations)) {
      for (const scheme of security?.flatMap((one) => Object.keys(one)) ?? ['missing']) {
        expect(components.securitySchemes, path).toHaveProperty(scheme)
      }
      if (path !== '/livez') expect(Object.keys(responses), path).toContain('500')
      if (security?.length) expect(Object.keys(responses), path).toContain('401')
    }
  }
})

it('every operation says in a line what it is, and in a few what that means', async () => {
  const { call } = await testApi()
  const { paths } = (await call<Document>('GET /openapi.json')).body
  const summaries: string[] = []
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { summary = '', description = '' }] of Object.entries(operations)) {
      const line = `${method} ${path}`
      expect(summary, line).toMatch(/^[A-Z].{5,99}$/)
      expect(description, line).toMatch(/^[A-Z].{25,}\.$/)
      expect(description.startsWith(summary), line).toBe(false)
      summaries.push(summary)
    }
  }
  // Below a path of the issuer's the metadata of RFC 8414 is served at two addresses.
  expect(summaries.length - new Set(summaries).size).toBeLessThanOrEqual(1)
})

it('what takes a body says how bodies are refused, and problems name every code', async () => {
  const { call } = await testApi()
  const { paths, components } = (await call<Document>('GET /openapi.json')).body
  for (const [path, operations] of Object.entries(paths)) {
    for (const { requestBody, responses } of Object.values(operations)) {
      if (requestBody === undefined) continue
      expect(Object.keys(responses), path).toEqual(expect.arrayContaining(['400', '413']))
      const spares415 = /^\/(v1\/signals|v1\/ssf|access\/v1)\//.test(path)
      if (!spares415) expect(Object.keys(responses), path).toContain('415')
    }
  }
  expect(components.schemas.Problem).toHaveProperty('properties.code.enum', Object.keys(STATUS_OF))
})

it('no schema is put together of closed objects, which no answer could satisfy', async () => {
  const { call } = await testApi()
  const { paths, components } = (await call<Document>('GET /openapi.json')).body
  expect(JSON.stringify({ paths, components })).not.toContain('"allOf"')
})

const SIMPLE = { agent: { tenant: 'support' }, entitlement: { tenants: ['support'] } }

it('real answers are what the document says', async () => {
  const api = await ownApi()
  const document = (await api.call<Document>('GET /openapi.json')).body
  const seen = new Set<string>()
  const check = (line: string, route: string, answer: Awaited<ReturnType<Api['call']>>) => {
    const [method = ''] = line.split(' ')
    const operation = document.paths[route]?.[method.toLowerCase()]
    const content = operation?.responses[answer.status]?.content
    const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
    const schema = content?.[type]?.schema
    expect(schema, `${line} ${answer.status} ${type}`).toBeDefined()
    const said = type === 'text/event-stream' ? answer.text : answer.body
    const parsed = schemaOf(document, schema ?? {}).safeParse(said)
    expect(parsed.error?.issues, line).toBeUndefined()
    seen.add(`${method} ${route}`)
  }
  const { admin } = api.operators
  const tools = gatewayToken('tools')
  const oauth = await oauthCalls(api)
  const task = await api.open({ heartbeat_seconds: 60, labels: { ticket: '4711' } })
  const issued = await api.issue(task)
  check('POST', '/v1/tasks/{id}/credentials', issued)
  check('POST', '/v1/tasks/{id}/credentials', await api.issue(task, { entitlement: 'none' }))
  check('POST', '/v1/tasks/{id}/credentials', await api.issue(task, { extra: 1 }))
  const { lease } = issued.body
  await decideApprovals(api, check)
  const { kill } = (
    await api.as('admin', 'POST /v1/kills', { selector: { provider: 'upstream' }, reason: 'x' })
  ).body
  const delivery = api.delivery({ subject: { agent: 'nobody' }, level: 'MEDIUM', reason: 'x' })
  check('POST', '/v1/signals/{source}', await api.call('POST /v1/signals/siem', delivery))
  const event = { body: 'x', headers: { 'content-type': 'application/secevent+jwt' } }
  check('POST', '/v1/ssf/{source}', await api.call('POST /v1/ssf/idp', event))
  const alert = '/v1/signals/{source}/unsigned/{secret}'
  check('POST', alert, await api.call('POST /v1/signals/siem/unsigned/x', { body: {} }))
  const decision = (await api.as('admin', 'GET /v1/decisions')).body.items[0].id

  const calls: [string, string, string, unknown?][] = [
    ['POST', '/v1/tasks', await api.evidence({ sub: 'stranger' }), { purpose: 'x', intent: [] }],
    ['POST', '/v1/leases/{id}/renew', task.token],
    ['GET', '/v1/tasks/{id}', task.token],
    ['POST', '/v1/tasks/{id}/heartbeat', task.token],
    ['POST', '/v1/tasks/{id}/delegations', task.token, { agent: 'twin-2', intent: [TICKET] }],
    ['GET', '/v1/tasks/{id}/entitlements', task.token],
    ['GET', '/v1/leases/{id}', admin],
    ['POST', '/v1/kills', admin, { selector: { all: true }, reason: 'x', dry_run: true }],
    ['GET', '/v1/kills', admin],
    ['GET', '/v1/kills/{id}', admin],
    ['GET', '/v1/leases/{id}/receipt', admin],
    ['GET', '/v1/kills/{id}/receipt', admin],
    ['GET', '/v1/receipt-keys', admin],
    ['GET', '/v1/blocks', admin],
    ['POST', '/v1/leases/{id}/end', task.token],
    ['GET', '/v1/endings', admin],
    ['POST', '/v1/endings/{id}/retry', admin],
    ['POST', '/v1/endings/retry', admin],
    ['DELETE', '/v1/blocks/{id}', admin],
    ['GET', '/v1/tasks', admin],
    ['GET', '/v1/leases', admin],
    ['GET', '/v1/agents', admin],
    ['GET', '/v1/entitlements', admin],
    ['GET', '/v1/providers', admin],
    ['GET', '/v1/decisions', admin],
    ['GET', '/v1/decisions/{id}', admin],
    ['GET', '/v1/decisions/{id}/explanation', admin],
    ['POST', '/v1/policies/simulate', admin, { request: SIMPLE }],
    ['POST', '/access/v1/evaluation', tools, { subject: named(task), ...READ }],
    ['POST', '/access/v1/evaluation', tools, { subject: { type: 'task' } }],
    ['POST', '/access/v1/evaluations', tools, { ...READ, evaluations: [{ subject: {} }, 1] }],
    ['POST', '/access/v1/evaluations', admin, {}],
    ['GET', '/.well-known/authzen-configuration', admin],
    ['GET', '/v1/signals', admin],
    ['GET', '/v1/risk', admin],
    ['POST', '/v1/risk/clear', admin, { signals: ['sig_a'], reason: 'x' }],
    [
      'POST',
      '/v1/signals/{source}/test',
      admin,
      { subject: { task: 'x' }, level: 'LOW', reason: 'x' },
    ],
    ['GET', '/v1/audit', admin],
    ['GET', '/v1/audit/head', admin],
    ['POST', '/v1/reconcile', admin, { dry_run: true }],
    ['POST', '/v1/reload', admin],
    ['POST', '/v1/restore/confirm', admin, { reason: 'x' }],
    ['POST', '/v1/tasks/{id}/end', task.token, { outcome: 'completed' }],
    ['GET', '/livez', admin],
    ['GET', '/readyz', admin],
    ['GET', '/openapi.json', admin],
  ]
  const idOf = (route: string) => {
    if (route.includes('/tasks/')) return task.id
    if (route.includes('/kills/')) return kill.id
    if (route.includes('/blocks/')) return kill.block
    return route.includes('/decisions/') ? decision : lease.id
  }
  for (const [method, route, token, body] of calls) {
    const line = `${method} ${route.replace('{id}', idOf(route)).replace('{source}', 'siem')}`
    const answer = await api.call(line, body === undefined ? { token } : { token, body })
    check(line, route, answer)
  }
  for (const [line, sent] of oauth) {
    check(line, line.split(' ')[1] ?? '', await api.call(line, sent))
  }
  seen.add('GET /metrics')
  const all = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(seen).toEqual(new Set(all))
})

/** Whatever can be asked of approvals, with one to say yes to and one to say no to. */
async function decideApprovals(
  api: Api,
  check: (line: string, route: string, answer: Answer<unknown>) => void,
): Promise<void> {
  const key = await KeyHolder.of(api)
  const task = await key.open({ intent: [DELETE] })
  const ask = async (seconds: number): Promise<string> => {
    const line = `POST /v1/tasks/${task.id}/credentials`
    const sent = { body: { entitlement: 'tickets-write', ttl_seconds: seconds } }
    const answer = await key.call(line, task.token, sent)
    check('POST', '/v1/tasks/{id}/credentials', answer)
    return answer.body.approval.id
  }
  const [one, other] = [await ask(60), await ask(61)]
  const calls: [string, string, object?][] = [
    ['GET', ''],
    ['GET', `/${one}`],
    ['POST', `/${one}/approve`, {}],
    ['GET', `/${one}/events`],
    ['POST', `/${one}/approve`, {}],
    ['POST', `/${other}/deny`, { reason: 'x' }],
  ]
  for (const [method, rest, body] of calls) {
    const route = `/v1/approvals${rest.replace(/appr_\w+/, '{id}')}`
    check(method, route, await api.as('admin', `${method} /v1/approvals${rest}`, body))
  }
}

async function oauthCalls(api: Api): Promise<[string, Sent?][]> {
  const { token } = await tokenOf(api)
  const headers = { ...FORM, authorization: basic('tickets-api') }
  const body = new URLSearchParams({ token }).toString()
  return [
    ['GET /.well-known/jwks.json'],
    ['GET /.well-known/oauth-authorization-server'],
    ['POST /oauth2/introspect', { headers, body }],
    ['POST /oauth2/introspect', { headers, body: 'token=unknown' }],
    ['POST /oauth2/introspect', { headers: FORM, body }],
    ['POST /oauth2/introspect', { headers, body: '' }],
    ['POST /oauth2/token', { headers: FORM, body: await exchangeForm(api) }],
    ['POST /oauth2/token', { headers: FORM, body: 'grant_type=password' }],
    ['POST /oauth2/token', { headers: {}, body: '' }],
    ['POST /oauth2/revoke', { headers: FORM, body }],
  ]
}

async function exchangeForm(api: Api): Promise<string> {
  return new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: await api.evidence(),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    authorization_details: JSON.stringify([READ_TICKET]),
  }).toString()
}

/** A schema of the document, made to check values again; what it refers to comes with it. */
function schemaOf(document: Document, schema: object): z.ZodType {
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas })
  return z.fromJSONSchema(JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')))
}
