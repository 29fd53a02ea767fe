import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { CANARY } from '../fixture/fake-provider.ts'
import { type Api, testApi } from '../fixture/http.ts'
import { whileMinted } from '../fixture/while-minted.ts'

/** Everything the house wrote or would print, as one text. */
async function everythingWritten({ dir, logged, as }: Api): Promise<string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)).toString('latin1'))
  const audit = await as('admin', 'GET /v1/audit?limit=500')
  const metrics = await as('admin', 'GET /metrics')
  return [...files, JSON.stringify(logged), audit.text, metrics.text].join('\n')
}

it('P2: no secret is at rest or in text, whatever became of the requests', async () => {
  const api = await testApi()
  const { upstream, call, open, issue, as, evidence } = api
  const token = await evidence()
  const bearers = [token, ...Object.values(api.operators)]
  const task = await open()
  const other = await open()
  bearers.push(task.token, other.token)
  const answers: string[] = []

  const { lease } = (await issue(task, {}, 'key-1')).body
  await issue(task, {}, 'key-1')
  const again = await issue(task)
  await call(`POST /v1/leases/${again.body.lease.id}/renew`, { token: task.token, body: {} })
  for (const mode of ['garbage', 'unknown', 'refuse'] as const) {
    upstream.mint = mode
    const refused = await issue(task)
    expect(refused.status).toBeGreaterThanOrEqual(500)
    answers.push(refused.text)
  }
  const overtaken = await whileMinted(
    upstream,
    () => issue(other),
    () => as('responder', 'POST /v1/kills', { selector: { task: other.id }, reason: 'drill' }),
  )
  answers.push(overtaken.text)
  upstream.mint = 'ok'
  await api.advanceKills()
  await call(`POST /v1/tasks/${task.id}/end`, { token: task.token, body: {} })
  answers.push((await as('admin', `GET /v1/leases/${lease.id}`)).text)
  answers.push((await as('admin', `GET /v1/tasks/${task.id}`)).text)
  answers.push((await call('GET /v1/leases', { token: `${bearers[1]}x` })).text)

  expect(upstream.minted.length).toBeGreaterThan(3)
  const written = `${await everythingWritten(api)}\n${answers.join('\n')}`
  expect(written).toContain(lease.id)
  expect(written).not.toContain(CANARY)
  for (const bearer of bearers) expect(written).not.toContain(bearer)
})

it('P2: a secret is delivered once: no later answer holds it', async () => {
  const { call, open, issue, as } = await testApi()
  const task = await open()
  const { lease, credential } = (await issue(task)).body
  const lines = [`GET /v1/leases/${lease.id}`, `GET /v1/tasks/${task.id}`]
  for (const line of lines) {
    expect((await call(line, { token: task.token })).text).not.toContain(credential.key)
    expect((await as('admin', line)).text).not.toContain(credential.key)
  }
})

it('P2: where the upstream prolongs, a renewal carries no secret', async () => {
  const { call, open, issue, upstream } = await testApi()
  upstream.prolongs = true
  const task = await open()
  const { lease } = (await issue(task)).body
  const renewed = await call(`POST /v1/leases/${lease.id}/renew`, { token: task.token })
  expect([renewed.status, renewed.body.generation]).toEqual([200, 2])
})
