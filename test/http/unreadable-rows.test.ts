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

describe('P13: a receipt', () => {
  const ordered = async (api: Api) => {
    const { lease } = (await api.issue(await api.open())).body
    const order = { selector: { agent: 'summariser' }, reason: 'leaked' }
    const { kill } = (await api.as('admin', 'POST /v1/kills', order)).body
    return { kill: kill.id, lease: lease.id }
  }
  const enforced = async (api: Api) => {
    const facts = await ordered(api)
    await api.advanceKills()
    return facts
  }

  it('of a kill that nobody could carry out does not call it complete', async () => {
    const { api, facts } = await damaged(ordered, () => "update kills set selector_json = '{'")
    await api.advanceKills()
    const receipt = await api.as('admin', `GET /v1/kills/${facts.kill}/receipt`)
    expect(receipt.status).toBe(200)
    expect(receipt.body.claims.kill).toMatchObject({ complete: false, leases: { total: 0 } })
  })

  it.each(["exposed_until = 'x'", "containment = '?'", "state = '?'", "ended_at = 'x'"])(
    'of a kill tells the worst of a lease that cannot be read (%s)',
    async (damage) => {
      const { api, facts } = await damaged(enforced, () => `update leases set ${damage}`)
      const receipt = await api.as('admin', `GET /v1/kills/${facts.kill}/receipt`)
      expect([receipt.status, receipt.text]).toEqual([200, expect.stringContaining(facts.lease)])
      const { kill } = receipt.body.claims
      const counts: number[] = Object.values(kill.containment)
      expect(counts.reduce((sum, one) => sum + one, 0)).toBe(1)
      expect(kill.containment.proved + kill.containment.expired).toBe(0)
    },
  )
})

describe('P13: a receipt of a lease whose own row is damaged', () => {
  it.each(["exposed_until = 'x'", "containment = '?'", "state = '?'", "intent_json = '{'"])(
    'is refused with the reason, and the lease is shown as what it is (%s)',
    async (damage) => {
      const { api, facts } = await damaged(
        async (api) => {
          const task = await api.open()
          return { task, lease: (await api.issue(task)).body.lease.id as string }
        },
        () => `update leases set ${damage}`,
      )
      const shown = await api.as('admin', `GET /v1/leases/${facts.lease}`)
      expect([shown.status, shown.body.unreadable]).toEqual([200, true])
      const line = `GET /v1/leases/${facts.lease}/receipt`
      const asked = [api.as('admin', line), api.call(line, { token: facts.task.token })]
      for (const receipt of await Promise.all(asked)) {
        expect([receipt.status, receipt.text]).toEqual([
          409,
          expect.stringMatching(/conflict.*cannot be read.*nothing is signed/),
        ])
      }
    },
  )
})

describe('P13: one damaged row in a list', () => {
  const three = async (api: Api) => {
    const ids: { task: string; lease: string; decision: string; kill: string }[] = []
    for (let n = 0; n < 3; n += 1) {
      const task = await api.open()
      const { lease } = (await api.issue(task)).body
      const order = { selector: { task: 'of nobody' }, reason: 'drill' }
      const { kill } = (await api.as('responder', 'POST /v1/kills', order)).body
      ids.push({ task: task.id, lease: lease.id, decision: lease.decision, kill: kill.id })
      await api.advance(1)
    }
    return ids
  }
  type Rows = Awaited<ReturnType<typeof three>>

  it.each([
    ['leases', 'lease', ["scope_json = '{'", "residuals_json = '{}'", "proof_json = '{}'"]],
    ['leases', 'lease', ["chain_json = '[7]'", "expires_at = 'soon'", "created_at = 'then'"]],
    ['tasks', 'task', ["intent_json = '[7]'", "labels_json = '7'", "touched_json = '{}'"]],
    ['tasks', 'task', ["claims_json = ''", "deadline = 'never'", "created_at = 'then'"]],
    ['kills', 'kill', ["selector_json = '{'", "counts_json = 'x'", "created_at = 'then'"]],
    ['decisions', 'decision', ["reasons_json = '{}'", "request_json = '{'", "at = 'then'"]],
  ] as const)(
    'of %s is shown as damaged, the others as they are (%s: %j)',
    async (list, kind, damages) => {
      const place = lasting()
      const before = await testApi(place)
      const rows: Rows = await three(before)
      await before.store.close()
      const ids = rows.map((row) => row[kind])
      for (const damage of damages) {
        behind(place, `create table if not exists sound as select * from ${list}`)
        behind(place, `update ${list} set ${damage} where id = '${ids[1]}'`)
        const api = await testApi({ ...place, issuer: before.issuer })
        const seen: string[] = []
        const unreadable: string[] = []
        for (let cursor: string | null = ''; cursor !== null; ) {
          const more: string = cursor === '' ? '' : `&cursor=${cursor}`
          const { status, body } = await api.as('responder', `GET /v1/${list}?limit=1${more}`)
          expect([damage, status]).toEqual([damage, 200])
          for (const item of body.items) {
            seen.push(item.id)
            if (item.unreadable) unreadable.push(item.id)
          }
          cursor = body.next_cursor
        }
        expect(seen.filter((id) => ids.includes(id)).toSorted()).toEqual(ids.toSorted())
        expect([damage, unreadable]).toEqual([damage, [ids[1]]])
        const one = await api.as('responder', `GET /v1/${list}/${ids[1]}`)
        expect([one.status, one.body.unreadable]).toEqual([200, true])
        await api.store.close()
        behind(
          place,
          `delete from ${list}; insert into ${list} select * from sound; drop table sound`,
        )
      }
    },
  )

  it('of endings is shown as damaged, and an operator can still end such a lease', async () => {
    const { api, facts } = await damaged(
      three,
      ([row]) => `update leases set scope_json = '{' where id = '${row?.lease}'`,
    )
    const bad = facts[0]?.lease
    const ended = await api.as('responder', `POST /v1/leases/${bad}/end`)
    expect([ended.status, ended.body.unreadable]).toEqual([200, true])
    await api.as('responder', `POST /v1/leases/${facts[1]?.lease}/end`)
    const { items } = (await api.as('responder', 'GET /v1/endings')).body
    expect(items).toHaveLength(2)
    expect(items.filter((one: { unreadable?: true }) => one.unreadable)).toMatchObject([
      { lease: bad, containment: 'pending' },
    ])
  })

  it('P3: of a lease gives its task nothing', async () => {
    const place = lasting()
    const before = await testApi(place)
    const task = await before.open()
    const { lease } = (await before.issue(task)).body
    await before.store.close()
    behind(place, "update leases set scope_json = '{'")
    const api = await testApi({ ...place, issuer: before.issuer })
    const renewal = await api.call(`POST /v1/leases/${lease.id}/renew`, {
      token: task.token,
      body: {},
    })
    expect(renewal.status).toBeGreaterThanOrEqual(500)
    expect(api.upstream.minted).toHaveLength(0)
  })
})
