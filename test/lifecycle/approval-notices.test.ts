import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startLifecycle } from '../../src/lifecycle/lifecycle.ts'
import { type Approving, approvalHouse } from '../fixture/approvals.ts'
import { starterPolicies } from '../fixture/broker.ts'
import { settle } from '../fixture/time.ts'

const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`

interface Delivery {
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly url: string | undefined
}

/** What answers a webhook, and what it got. */
async function receiver(answer: (response: ServerResponse, n: number) => void) {
  const got: Delivery[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      got.push({ headers: request.headers, body, url: request.url })
      answer(response, got.length)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // a TCP server has one
  return { got, url: `http://127.0.0.1:${port}/hook` }
}

const ok = (response: ServerResponse) => void response.writeHead(204).end()

/** A house that tells `url` of approvals, with everything that runs by itself running. */
async function telling(url: string): Promise<Approving> {
  const api = await approvalHouse({
    secrets: { 'env:HOOK': SECRET },
    change: (doc) => (doc.approvals = { webhook: { url, secret: 'env:HOOK' } }),
  })
  const lifecycle = await startLifecycle(api.broker)
  onTestFinished(async () => {
    const stopped = lifecycle.stop(0)
    await api.advance(1)
    await stopped
  })
  return api
}

/** Until the receiver got so many, or time by hand does not help. */
async function until(api: Approving, reached: () => boolean, stepMs = 0): Promise<void> {
  for (let n = 0; n < 200 && !reached(); n += 1) {
    if (stepMs > 0) await api.advance(stepMs)
    await settle()
    await sleep(5)
  }
  expect(reached()).toBe(true)
}

const noticesLeft = async ({ store, clock }: Approving) =>
  (await store.approvals.noticesDue(clock.now() + 3_600_000, 10)).length

describe('the webhook of a new approval', () => {
  it('is signed, says who wants what for how long, and holds no secret', async () => {
    const { got, url } = await receiver(ok)
    const api = await telling(url)
    const task = await api.intend()
    const { id } = await api.pending(task)
    await until(api, () => got.length === 1)
    const { headers, body = '' } = got[0] ?? {}
    const at = Number(headers?.['webhook-timestamp'])
    const signature = new Webhook(SECRET).sign(id, new Date(at * 1000), body)
    expect(headers).toMatchObject({ 'webhook-id': id, 'webhook-signature': signature })
    expect(JSON.parse(body)).toMatchObject({
      type: 'approval.requested',
      timestamp: expect.stringMatching(/Z$/),
      data: {
        approval: id,
        url: `http://127.0.0.1:8700/v1/approvals/${id}`,
        agent: 'summariser',
        tenant: 'support',
        entitlement: 'tickets-write',
        impact: ['destructive-write'],
        risk: 'LOW',
        ttl_seconds: 300,
        agents_own_words: 'delete ticket 4711',
      },
    })
    expect(body).not.toContain(task.token)
    await api.pending(task)
    await until(api, () => true, 5_000)
    expect(got).toHaveLength(1)
    expect(await noticesLeft(api)).toBe(0)
  })

  it('is tried again from where it was, and holds up nobody meanwhile', async () => {
    const { got, url } = await receiver((response, n) =>
      n < 3 ? void response.writeHead(503).end() : ok(response),
    )
    const api = await telling(url)
    const task = await api.intend()
    const { id } = await api.pending(task)
    await until(api, () => got.length === 3, 500)
    expect(got.map(({ headers }) => headers['webhook-id'])).toEqual([id, id, id])
    await until(api, () => got.length === 3)
    expect(await noticesLeft(api)).toBe(0)
  })

  it('that a receiver never answers keeps neither an issue nor an end waiting', async () => {
    const { got, url } = await receiver(() => {})
    const api = await telling(url)
    const task = await api.intend()
    const { id } = await api.pending(task)
    await until(api, () => got.length === 1)
    await api.as('approver', `POST /v1/approvals/${id}/approve`, {})
    const issued = await api.ask(task)
    expect(issued.status).toBe(201)
    const { lease } = issued.body
    await api.key.call(`POST /v1/leases/${lease.id}/end`, task.token, { body: {} })
    await until(api, () => api.upstream.revoked.has(lease.upstream_name), 100)
    // Decided: there is nothing left to tell.
    expect(await noticesLeft(api)).toBe(0)
  })

  it('follows no redirect', async () => {
    const elsewhere = await receiver(ok)
    const { got, url } = await receiver((response) => {
      response.writeHead(307, { location: elsewhere.url }).end()
    })
    const api = await telling(url)
    await api.pending(await api.intend())
    await until(api, () => got.length >= 2, 500)
    expect(elsewhere.got).toEqual([])
    expect(await noticesLeft(api)).toBe(1)
    const warned = api.logged.filter(({ level }) => level === 'warn')
    expect(warned).toContainEqual(expect.objectContaining({ status: 307 }))
    expect(JSON.stringify(api.logged)).not.toContain(url)
  })

  it('that was not taken before a stop is sent after the next start', async () => {
    const down = 'http://127.0.0.1:9/hook'
    const { got, url } = await receiver(ok)
    let hook = down
    const api = await approvalHouse({
      secrets: { 'env:HOOK': SECRET },
      change: (doc) => (doc.approvals = { webhook: { url: hook, secret: 'env:HOOK' } }),
    })
    const first = await startLifecycle(api.broker)
    const { id } = await api.pending(await api.intend())
    await until(api, () => api.logged.some(({ approval }) => approval === id), 10)
    const stopped = first.stop(1_000)
    await api.advance(1_000)
    await stopped
    expect(await noticesLeft(api)).toBe(1)
    hook = url
    api.reconfigure((doc) => (doc.approvals.webhook.url = url))
    const second = await startLifecycle(api.broker)
    await until(api, () => got.length === 1, 500)
    expect(got[0]?.headers['webhook-id']).toBe(id)
    const over = second.stop(0)
    await api.advance(1)
    await over
  })
})

describe('approvals that nobody decides or uses', () => {
  it('P7: end by themselves on time, and at once when the policies change', async () => {
    let extra = ''
    const api = await approvalHouse({
      policies: () => [...starterPolicies(), { name: 'more.cedar', text: extra }],
    })
    const lifecycle = await startLifecycle(api.broker)
    const task = await api.intend()
    const late = await api.pending(task)
    const state = async (id: string) => (await api.store.approvals.byId(id as never))?.cause
    await api.advance(899_000)
    const changed = await api.pending(task, { ttl_seconds: 5 })
    expect(await state(late.id)).toBeNull()
    await api.advance(2_000)
    await settle()
    expect(await state(late.id)).toBe('time')
    extra = '@id("more") permit(principal == Mayfly::Agent::"x", action, resource);'
    api.reconfigure(() => {})
    await api.advance(2_000)
    await settle()
    expect(await state(changed.id)).toBe('policy')
    const stopped = lifecycle.stop(0)
    await api.advance(1)
    await stopped
  })
})
