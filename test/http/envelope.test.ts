import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { expect, it, onTestFinished } from 'vitest'
import { MayflyError } from '../../src/errors.ts'
import { testApi } from '../fixture/http.ts'
import { settle } from '../fixture/time.ts'

it('P2: no answer may be stored by a cache or read by a page of another origin', async () => {
  const { call, open } = await testApi()
  const { id, token } = await open()
  const origin = { origin: 'https://evil.example' }
  for (const line of ['GET /livez', 'GET /v1/leases', 'GET /nowhere', `GET /v1/tasks/${id}`]) {
    const { headers } = await call(line, { token, headers: origin })
    expect(headers.get('cache-control'), line).toBe('no-store')
    expect(headers.get('pragma')).toBe('no-cache')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('access-control-allow-origin')).toBeNull()
  }
})

it('a request keeps a sane id of its own and gets one otherwise', async () => {
  const { call } = await testApi()
  const idOf = async (asked: string) =>
    (await call('GET /livez', { headers: { 'x-request-id': asked } })).headers.get('x-request-id')
  expect(await idOf('trace-1.2_3')).toBe('trace-1.2_3')
  for (const odd of ['', 'a b', '"x"', '{}', '-x', 'x'.repeat(65)]) {
    expect(await idOf(odd)).toMatch(/^req_[a-z2-7]{20}$/)
  }
})

it('an unforeseen error says nothing of itself, and is in the log by its request id', async () => {
  const { as, call, logged } = await testApi({
    doors: {
      ready: async () => {
        throw new TypeError('canary-of-an-error')
      },
    },
  })
  const { status, text, body } = await call('GET /readyz')
  expect([status, body.code]).toEqual([500, 'internal'])
  expect(text).not.toContain('canary')
  const entry = logged.find((one) => one.level === 'error')
  expect(entry).toMatchObject({ request_id: body.request_id, error: { name: 'TypeError' } })
  expect(JSON.stringify(logged)).not.toContain('canary')
  expect((await as('admin', 'GET /metrics')).text).toMatch(/refusals_total\{code="internal"\} 1/)
})

it('readiness names problems and is 503 while there are some', async () => {
  const problems: string[] = []
  const { call } = await testApi({ doors: { ready: async () => problems } })
  expect((await call('GET /readyz')).status).toBe(200)
  problems.push('store: unavailable')
  const { status, body, headers } = await call('GET /readyz')
  expect([status, body.errors[0].message]).toEqual([503, 'store: unavailable'])
  expect(headers.get('retry-after')).toBe('5')
  expect((await call('GET /livez')).status).toBe(200)
})

it('a reload answers what waits, and passes on who asked and what was confirmed', async () => {
  const asked: unknown[] = []
  const { as } = await testApi({
    doors: {
      reload: async (request) => {
        asked.push(request)
        if (request.confirm === 'bad') {
          const problems = [{ path: 'agents[0].id', message: 'is required' }]
          throw new MayflyError('config_invalid', 'the configuration cannot be used', { problems })
        }
        return { applied: false, changes: ['+ agents.x'], would_end: 101, confirm: 'abc' }
      },
    },
  })
  const { body } = await as('admin', 'POST /v1/reload')
  expect(body).toEqual({ applied: false, changes: ['+ agents.x'], would_end: 101, confirm: 'abc' })
  const bad = await as('admin', 'POST /v1/reload', { confirm: 'bad' })
  expect([bad.status, bad.body.errors]).toEqual([
    422,
    [{ path: 'agents[0].id', message: 'is required' }],
  ])
  expect(asked).toEqual([{ actor: 'operator:admin' }, { actor: 'operator:admin', confirm: 'bad' }])
})

it('metrics count answers, refusals, decisions and mints, and read the rest when asked', async () => {
  const { call, open, issue, upstream, advance } = await testApi()
  const task = await open()
  await issue(task)
  await issue(task, { entitlement: 'tickets-write' })
  upstream.mint = 'refuse'
  await issue(task)
  upstream.mint = 'unknown'
  await issue(task)
  await call('GET /no/such/path')
  await advance(7_000)
  const { text, headers } = await call('GET /metrics')
  expect(headers.get('content-type')).toMatch(/^text\/plain/)
  for (const line of [
    'mayfly_http_request_duration_seconds_count{route="/v1/tasks",method="POST",status="201"} 1',
    'mayfly_http_request_duration_seconds_count{route="none",method="GET",status="404"} 1',
    'mayfly_refusals_total{code="upstream_refused"} 1',
    'mayfly_decisions_total{action="openTask",outcome="permit"} 1',
    'mayfly_decisions_total{action="requestCredential",outcome="permit"} 1',
    'mayfly_decisions_total{action="requestCredential",outcome="deny"} 1',
    'mayfly_mints_total{provider="upstream",outcome="minted"} 1',
    'mayfly_mints_total{provider="upstream",outcome="refused"} 1',
    'mayfly_mints_total{provider="upstream",outcome="unknown"} 1',
    'mayfly_endings_waiting{provider="upstream"} 1',
    'mayfly_endings_oldest_seconds{provider="upstream"} 7',
    'mayfly_leases_active 1',
  ]) {
    expect(text).toContain(line)
  }
})

it('over a real connection: a client that hangs up while its lease is minted holds nothing', async () => {
  const { app, open, upstream, store } = await testApi()
  const task = await open()
  const server = createAdaptorServer({ fetch: app.fetch })
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  upstream.mint = 'hold'
  const reached = upstream.reached()
  const body = JSON.stringify({ entitlement: 'tickets-read' })
  const socket = connect(port, '127.0.0.1')
  socket.write(
    `POST /v1/tasks/${task.id}/credentials HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${task.token}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
  await reached
  socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 100))
  upstream.release()
  await settle()
  const [lease] = await store.leases.list({ tenants: null }, { limit: 9, after: undefined })
  expect(lease).toMatchObject({ state: 'ending', cause: 'not-activated' })
})

it('over a real connection: a body that is too large is refused, said or unsaid', async () => {
  const { app, evidence } = await testApi()
  const server = createAdaptorServer({ fetch: app.fetch })
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const headers = {
    authorization: `Bearer ${await evidence()}`,
    'content-type': 'application/json',
  }
  const url = `http://127.0.0.1:${port}/v1/tasks`
  const text = JSON.stringify({ purpose: 'x'.repeat(70_000) })
  const said = await fetch(url, { method: 'POST', headers, body: text })
  expect(said.status).toBe(413)
  const stream = new Blob([text]).stream()
  // Node's fetch sends a stream in chunks, without a length.
  const unsaid = await fetch(url, {
    method: 'POST',
    headers,
    body: stream,
    duplex: 'half',
  } as RequestInit)
  expect(unsaid.status).toBe(413)
  await Promise.all([said.text(), unsaid.text()])
})
