import { describe, expect, it, onTestFinished } from 'vitest'
import { type Approving, approvalHouse } from '../fixture/approvals.ts'
import { settle } from '../fixture/time.ts'

const decide = (api: Approving, id: string, verdict: 'approve' | 'deny') =>
  api.as('approver', `POST /v1/approvals/${id}/${verdict}`, { reason: 'x' })

/** Reads a stream of server-sent events one at a time. */
async function eventsOf(api: Approving, id: string, token: string) {
  const response = await api.app.request(`/v1/approvals/${id}/events`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const next = async () => (await reader?.read())?.value
  onTestFinished(() => void reader?.cancel().catch(() => undefined))
  return { response, next, leave: () => reader?.cancel() }
}

describe('who waits for an approval', () => {
  it.each([
    ['approve', 'granted'],
    ['deny', 'denied'],
  ] as const)('hears of it at once when somebody says %s', async (verdict, state) => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    let heard: unknown
    const waiting = api.key
      .call(`GET /v1/approvals/${id}?wait_seconds=30`, task.token)
      .then(({ body }) => (heard = body.state))
    await settle()
    expect(heard).toBeUndefined()
    await decide(api, id, verdict)
    await waiting
    expect(heard).toBe(state)
  })

  it('hears after so long that it is still pending, and at once what is decided', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    let heard: unknown
    const waiting = api
      .as('admin', `GET /v1/approvals/${id}?wait_seconds=20`)
      .then(({ body }) => (heard = body.state))
    await settle()
    await api.advance(19_000)
    expect(heard).toBeUndefined()
    await api.advance(1_000)
    expect(await waiting).toBe('pending')
    await decide(api, id, 'approve')
    const again = await api.key.call(`GET /v1/approvals/${id}?wait_seconds=30`, task.token)
    expect(again.body.state).toBe('granted')
    for (const wrong of ['31', '-1', '1.5', 'x']) {
      const line = `GET /v1/approvals/${id}?wait_seconds=${wrong}`
      expect((await api.as('admin', line)).status, wrong).toBe(400)
    }
  })

  it('P11: an operator who is one no more hears nothing more', async () => {
    const api = await approvalHouse()
    const { id } = await api.pending(await api.intend())
    const stream = await eventsOf(api, id, api.operators.auditor)
    expect(await stream.next()).toContain(id)
    api.reconfigure((doc) => {
      doc.operators = doc.operators.filter(({ name }: { name: string }) => name !== 'auditor')
    })
    await decide(api, id, 'approve')
    expect(await stream.next()).toBeUndefined()
  })

  it('hears that it is void when the task is killed', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    const waiting = api.key.call(`GET /v1/approvals/${id}?wait_seconds=30`, task.token)
    await settle()
    await api.as('admin', 'POST /v1/kills', { selector: { task: task.id }, reason: 'x' })
    expect((await waiting).body).toMatchObject({ state: 'expired', cause: 'killed' })
  })

  it('P13: is one of a few; more are answered at once, and so is everybody when the broker stops', async () => {
    const api = await approvalHouse()
    const { id } = await api.pending(await api.intend())
    const wait = () => api.as('admin', `GET /v1/approvals/${id}?wait_seconds=30`)
    const waiting = Array.from({ length: 16 }, wait)
    await settle()
    expect((await wait()).body.state).toBe('pending')
    api.store.approvals.letGo()
    for (const answer of await Promise.all(waiting)) expect(answer.body.state).toBe('pending')
    expect((await wait()).body.state).toBe('pending')
  })

  it('hears it as server-sent events, which end with the decision', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    const { response, next } = await eventsOf(api, id, api.operators.approver)
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    expect(response.headers.get('cache-control')).toBe('no-store')
    const first = await next()
    expect(first).toMatch(/^event: approval\ndata: \{.*"state":"pending"/)
    const alive = next()
    await settle()
    await api.advance(15_000)
    expect(await alive).toBe(': still pending\n\n')
    const last = next()
    await decide(api, id, 'approve')
    expect(await last).toContain('"state":"granted"')
    expect(await next()).toBeUndefined()
  })

  it('P11: and its task hears nothing that is for operators', async () => {
    const api = await approvalHouse()
    const task = await api.intend()
    const { id } = await api.pending(task)
    await decide(api, id, 'deny')
    const line = `GET /v1/approvals/${id}/events`
    const told = await api.key.call(line, task.token)
    expect(told.text).toContain('"state":"denied"')
    expect(told.text).not.toContain('review')
    expect(told.text).not.toContain('approver')
  })

  it('holds nothing when it goes away', async () => {
    const api = await approvalHouse()
    const { id } = await api.pending(await api.intend())
    for (let n = 0; n < 20; n += 1) {
      const { next, leave } = await eventsOf(api, id, api.operators.admin)
      await next()
      await leave()
      const gone = new AbortController()
      const token = api.operators.admin
      const line = `GET /v1/approvals/${id}?wait_seconds=30`
      const waiting = api.call(line, { token, signal: gone.signal })
      await settle()
      gone.abort()
      await waiting.catch(() => undefined)
    }
    const { next } = await eventsOf(api, id, api.operators.admin)
    await next()
    const last = next()
    await decide(api, id, 'approve')
    expect(await last).toContain('"state":"granted"')
  })
})
