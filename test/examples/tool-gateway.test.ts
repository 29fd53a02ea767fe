import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { type Tool, toolGateway } from '../../deploy/examples/tool-gateway/gateway.ts'
import { gatewayToken, type House } from '../fixture/broker.ts'
import { WRITING } from '../fixture/gateway.ts'
import { type Api, type Opened, testApi } from '../fixture/http.ts'
import { KeyHolder } from '../fixture/key-holder.ts'

/** The example's gateway, over a mailbox in the words of the fake provider. */
async function gatewayOf(api: Api, ask?: typeof fetch) {
  const mails = new Map([
    ['4711/a.txt', 'the printer smokes'],
    ['9/b.txt', 'not yours'],
  ])
  const on = (action: string, run: (key: string) => unknown): Tool => ({
    does: ({ ticket, mail }) => ({
      action,
      resource: { type: 'fake', id: `/tickets/${ticket}/${mail}` },
    }),
    run: async ({ ticket, mail }) => run(`${ticket}/${mail}`),
  })
  const tools = {
    'read-mail': on('read', (key) => mails.get(key)),
    'delete-mail': on('delete', (key) => mails.delete(key)),
  }
  const app: typeof fetch = async (url, init) => await api.app.request(String(url), init)
  const token = gatewayToken('tools')
  const mayfly = { url: 'http://mayfly.example', token, fetch: ask ?? app }
  const server = toolGateway({ mayfly, tools })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const call = async (name: string, { token: shown }: Pick<Opened, 'token'>, given: unknown) => {
    const response = await fetch(`http://127.0.0.1:${port}/tools/${name}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${shown}` },
      body: JSON.stringify(given),
    })
    return { status: response.status, body: await response.json() }
  }
  return { mails, call }
}

const MAIL = { ticket: '4711', mail: 'a.txt' }

function alarm(house: Pick<House, 'delivery'>) {
  const about = { subject: { agent: 'summariser' }, level: 'MEDIUM', action: 'risk' }
  return house.delivery({ ...about, reason: 'odd prompts', ttl_seconds: 600 })
}

it('deletes for a task that said so, and no more once the risk of its agent rose', async () => {
  const api = await testApi()
  const { mails, call } = await gatewayOf(api)
  const task = await (await KeyHolder.of(api)).open(WRITING)
  expect(await call('read-mail', task, MAIL)).toEqual({
    status: 200,
    body: { result: 'the printer smokes' },
  })
  await api.call('POST /v1/signals/siem', alarm(api))
  expect(await call('delete-mail', task, MAIL)).toEqual({
    status: 403,
    body: {
      error: 'not now',
      because: { reason: 'policy_denied', evaluation_id: expect.stringMatching(/^dec_/) },
    },
  })
  expect(mails.has('4711/a.txt')).toBe(true)
  await api.advance(600_000)
  expect((await call('delete-mail', task, MAIL)).status).toBe(200)
  expect(mails.has('4711/a.txt')).toBe(false)
})

it('runs nothing outside of the intent, without a task, or with arguments that lead elsewhere', async () => {
  const api = await testApi()
  const { mails, call } = await gatewayOf(api)
  const task = await (await KeyHolder.of(api)).open(WRITING)
  expect((await call('delete-mail', task, { ticket: '9', mail: 'b.txt' })).body).toMatchObject({
    because: { reason: 'outside_intent' },
  })
  for (const mail of ['../9/b.txt', '*', '', 7, null, 'a/b']) {
    expect((await call('delete-mail', task, { ticket: '4711', mail })).status).toBe(400)
  }
  expect((await call('format-disk', task, MAIL)).status).toBe(404)
  expect((await call('delete-mail', { token: 'mft_' }, MAIL)).status).toBe(401)
  const stranger = await call('delete-mail', { token: `mft_${'x'.repeat(43)}` }, MAIL)
  expect(stranger.body).toMatchObject({ because: { reason: 'unknown_subject' } })
  await api.as('admin', `POST /v1/tasks/${task.id}/end`, {})
  expect((await call('read-mail', task, MAIL)).status).toBe(403)
  expect(mails.size).toBe(2)
})

it('takes everything but a clear yes for a no', async () => {
  const api = await testApi()
  const said = (status: number, body: string) => async () => new Response(body, { status })
  const answers: (typeof fetch)[] = [
    said(200, '{"decision":"true"}'),
    said(200, '{"decision":1}'),
    said(200, 'true'),
    said(200, '[]'),
    said(200, '{'),
    said(200, ''),
    said(500, '{"decision":true}'),
    said(401, '"who"'),
    async () => {
      throw new Error('no route')
    },
  ]
  for (const ask of answers) {
    const { mails, call } = await gatewayOf(api, ask)
    expect((await call('delete-mail', { token: 'mft_x' }, MAIL)).status).toBe(403)
    expect(mails.size).toBe(2)
  }
})
