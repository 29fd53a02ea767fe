import { describe, expect, it } from 'vitest'
import { type Api, testApi } from '../fixture/http.ts'

/** A signed message of the source `siem`, delivered to the API. */
async function alarm(api: Api, body: Record<string, unknown>) {
  const delivery = api.delivery({ reason: 'odd listing of buckets', ...body })
  const response = await api.app.request('/v1/signals/siem', { method: 'POST', ...delivery })
  expect(response.status).toBe(202)
  await api.advanceKills()
}

const riskLevels = async (api: Api) =>
  (await api.as('admin', 'GET /v1/risk')).body.items.map((one: { level: string }) => one.level)

const onlyBlock = async (api: Api): Promise<string> =>
  (await api.as('admin', 'GET /v1/blocks')).body.items[0].id

describe('a false alarm', () => {
  it('is undone by lifting its block: the risk it brought goes with it', async () => {
    const api = await testApi()
    await alarm(api, { subject: { agent: 'summariser' }, level: 'HIGH' })
    expect(await riskLevels(api)).toEqual(['HIGH'])
    await expect(api.open()).rejects.toThrow(/policy_denied|blocked/)

    await api.as('responder', `DELETE /v1/blocks/${await onlyBlock(api)}`)
    expect(await riskLevels(api)).toEqual([])
    const task = await api.open()
    expect((await api.issue(task)).status).toBe(201)
    const events = await api.store.audit.read(0, 500)
    expect(events.filter((event) => event.type === 'risk.changed')).toHaveLength(2)
  })

  it('leaves the risk that other signals brought', async () => {
    const api = await testApi()
    await alarm(api, { subject: { agent: 'summariser' }, level: 'HIGH' })
    await alarm(api, { subject: { tenant: 'support' }, level: 'MEDIUM' })
    await api.as('responder', `DELETE /v1/blocks/${await onlyBlock(api)}`)
    expect(await riskLevels(api)).toEqual(['MEDIUM'])
  })

  it('says why a request was refused while it lasted', async () => {
    const api = await testApi()
    const task = await api.open()
    await alarm(api, { subject: { entitlement: 'tickets-read' }, action: 'block' })
    const block = await onlyBlock(api)
    expect((await api.issue(task)).body).toMatchObject({ code: 'blocked' })
    const { items } = (await api.as('admin', 'GET /v1/decisions?outcome=deny')).body
    const [decision] = items
    expect(decision).toMatchObject({ outcome: 'deny', policies: [], rails: ['block'] })
    expect(decision.reasons).toEqual([`blocked by ${block}`])
  })
})
