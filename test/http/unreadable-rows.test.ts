import { describe, expect, it } from 'vitest'
import { behind, lasting } from '../fixture/behind.ts'
import { type Api, testApi } from '../fixture/http.ts'

/** A house after what `prepare` did, whose database was damaged while it was down. */
async function damaged<T>(
  prepare: (api: Api) => Promise<T>,
  damage: (facts: T) => string,
): Promise<{ api: Api; facts: T }> {
  const place = lasting()
  const before = await testApi(place)
  const facts = await prepare(before)
  await before.store.close()
  behind(place, damage(facts))
  return { api: await testApi({ ...place, issuer: before.issuer }), facts }
}

describe('P13: a kill whose row is damaged', () => {
  const killed = async (api: Api) => {
    await api.issue(await api.open())
    const order = { selector: { agent: 'summariser' }, reason: 'leaked' }
    const { kill } = (await api.as('support', 'POST /v1/kills', order)).body
    await api.advanceKills()
    return kill
  }

  it.each([
    ["selector_json = '{'", {}],
    ["counts_json = 'x'", { agent: 'summariser' }],
  ])('is shown as such, with what its leases came to (%s)', async (damage, selector) => {
    const { api, facts } = await damaged(killed, () => `update kills set ${damage}`)
    const shown = await api.as('support', `GET /v1/kills/${facts.id}`)
    expect(shown.status).toBe(200)
    expect(shown.body).toMatchObject({ selector, reason: 'leaked', unreadable: true })
    expect(shown.body.progress).toMatchObject({ pending: 1, remaining: 1 })
  })

  it('P11: is shown only to who may see every tenant, where its own cannot be read', async () => {
    const { api, facts } = await damaged(killed, () => "update kills set tenants_json = '['")
    expect((await api.as('support', `GET /v1/kills/${facts.id}`)).body.code).toBe('not_found')
    const shown = await api.as('responder', `GET /v1/kills/${facts.id}`)
    expect(shown.body).toMatchObject({ unreadable: true })
  })
})
