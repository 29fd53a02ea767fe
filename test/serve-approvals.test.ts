import { request } from 'node:https'
import { expect, it } from 'vitest'
import { DELETE } from './fixture/approvals.ts'
import { tlsBroker } from './fixture/tls-broker.ts'

it('who waits for an approval over the network hears of it, and holds up no stop', async () => {
  const house = await tlsBroker()
  await house.start()
  const agent = house.client(house.clients.issue({ name: 'robot' }))
  const opening = { purpose: 'delete ticket 4711', intent: [DELETE] }
  const opened = await agent.call('POST /v1/tasks', {
    token: await house.evidence(),
    body: opening,
  })
  const { task, token } = opened.body
  const line = `POST /v1/tasks/${task.id}/credentials`
  const body = { entitlement: 'tickets-write' }
  const asked = await agent.call(line, { token, body })
  expect(asked.status).toBe(202)
  const { id } = asked.body.approval

  const operator = house.client()
  const yes = { token: house.operator, body: {} }
  const heard = agent.call(`GET /v1/approvals/${id}?wait_seconds=30`, { token })
  const stream = follow(`${house.url()}/v1/approvals/${id}/events`, operator.agent, house.operator)
  await stream.begun
  const approver = house.client()
  expect((await approver.call(`POST /v1/approvals/${id}/approve`, yes)).status).toBe(200)
  expect((await heard).body).toMatchObject({ state: 'granted' })
  expect(await stream.all).toMatch(/"state":"pending".*"state":"granted"/s)
  expect((await agent.call(line, { token, body })).status).toBe(201)

  const next = (await agent.call(line, { token, body })).body.approval.id
  const waiting = agent.call(`GET /v1/approvals/${next}?wait_seconds=30`, { token })
  const rest = follow(`${house.url()}/v1/approvals/${next}/events`, operator.agent, house.operator)
  await rest.begun
  const stoppedAt = performance.now()
  await house.stop()
  expect(performance.now() - stoppedAt).toBeLessThan(5_000)
  expect((await waiting).body).toMatchObject({ state: 'pending' })
  expect(await rest.all).toContain('"state":"pending"')
})

/** A stream of server-sent events: when its first came, and all of it once it ended. */
function follow(url: string, agent: Parameters<typeof request>[1]['agent'], token: string) {
  const begun = Promise.withResolvers<void>()
  const all = Promise.withResolvers<string>()
  const headers = { authorization: `Bearer ${token}` }
  const asked = request(url, { agent, headers }, (response) => {
    let text = ''
    response.on('data', (chunk) => {
      text += chunk
      begun.resolve()
    })
    response.on('end', () => all.resolve(text))
  })
  asked.on('error', all.reject)
  asked.end()
  return { begun: begun.promise, all: all.promise }
}
