import { describe, expect, it } from 'vitest'
import { behind, lasting } from '../fixture/behind.ts'
import { type Api, INVOICE, OPENING, testApi } from '../fixture/http.ts'

/** A house with a block on `summariser`, which was damaged while it was down. */
async function damaged(damage: string): Promise<{ api: Api; block: string }> {
  const place = lasting()
  const before = await testApi(place)
  const order = { selector: { agent: 'summariser' }, reason: 'odd', block_seconds: 3_600 }
  const { kill } = (await before.as('admin', 'POST /v1/kills', order)).body
  await before.advanceKills()
  await before.store.close()
  behind(place, `update blocks set ${damage}`)
  return { api: await testApi({ ...place, issuer: before.issuer }), block: kill.block }
}

const opens = async (api: Api, sub: string) => {
  const token = await api.evidence({ sub })
  const intent = sub === 'biller' ? [INVOICE] : OPENING.intent
  return (await api.call('POST /v1/tasks', { token, body: { ...OPENING, intent } })).status
}

describe('P3: a block whose row is damaged', () => {
  it.each([
    ["selector_json = '{'"],
    ["selector_json = '{}'"],
    ["selector_json = 'null'"],
    [`selector_json = '{"agents":"summariser"}'`],
    ["tenants_json = '7'"],
  ])('stands against everybody until it is seen and lifted (%s)', async (damage) => {
    const { api, block } = await damaged(damage)
    expect([await opens(api, 'robot'), await opens(api, 'biller')]).toEqual([403, 403])
    const { items } = (await api.as('admin', 'GET /v1/blocks')).body
    expect(items).toMatchObject([{ id: block, reason: 'odd', unreadable: true }])
    expect((await api.as('billing', 'GET /v1/blocks')).body.items).toEqual([])
    expect((await api.as('admin', `DELETE /v1/blocks/${block}`)).status).toBe(200)
    expect([await opens(api, 'robot'), await opens(api, 'biller')]).toEqual([201, 201])
  })

  it('is held against its tenants alone where those can be read', async () => {
    const { api } = await damaged(`selector_json = '{', tenants_json = '["support"]'`)
    expect([await opens(api, 'robot'), await opens(api, 'biller')]).toEqual([403, 201])
  })

  it('stays until lifted where its expiry cannot be read', async () => {
    const { api, block } = await damaged("expires_at = 'soon'")
    await api.advance(7_200_000)
    expect([await opens(api, 'robot'), await opens(api, 'biller')]).toEqual([403, 201])
    expect((await api.as('admin', 'GET /v1/blocks')).body.items).toMatchObject([{ id: block }])
  })
})
