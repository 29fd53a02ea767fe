import { describe, expect, it } from 'vitest'
import { ChainVerifier } from '../../src/audit/verify.ts'
import { approvalRequest, chain, shed } from './fixture.ts'

/** One row nobody can read must not stand in the way of the others (P13), nor live for ever (P7). */
describe('P13: a task whose row cannot be read', () => {
  async function withBadTask() {
    const house = shed()
    const bad = await house.openTask({ deadline: house.clock.now() + 1_000 })
    const lease = await house.active(bad)
    const good = await house.openTask({ deadline: house.clock.now() + 2_000 })
    await house.behind((sqlite) =>
      sqlite.prepare("update tasks set intent_json = '{' where id = ?").run(bad.id),
    )
    return { house, bad, good, lease }
  }

  it('ends at its deadline with its leases, and lets others end too', async () => {
    const { house, bad, good, lease } = await withBadTask()
    const now = house.clock.now() + 5_000
    const due = await house.store.tasks.due(now, 10)
    expect(due.map(({ id }) => id).toSorted()).toEqual([bad.id, good.id].toSorted())
    for (const { id } of due) {
      const order = { id, cause: 'task-deadline', outcome: null, actor: 'mayfly', now } as const
      expect(await house.store.tasks.end(order)).toBe(true)
    }
    expect(await house.store.tasks.due(now, 10)).toEqual([])
    expect(await house.lease(lease.id)).toMatchObject({ state: 'ending', cause: 'task-deadline' })
  })

  it('ends with the kill that names it, and the kills after it go on', async () => {
    const { house, good, lease } = await withBadTask()
    const other = await house.active(good)
    await house.kill({ all: true })
    await house.advanceKills()
    expect(await house.lease(lease.id)).toMatchObject({ state: 'ending', cause: 'killed' })
    expect(await house.lease(other.id)).toMatchObject({ state: 'ending', cause: 'killed' })
    expect(await house.store.tasks.byId(good.id)).toMatchObject({ state: 'ended' })
  })
})

describe('P13: a kill whose row cannot be read', () => {
  it.each(['{', '{}', 'null'])('ends nothing, and the kill after it goes on (%s)', async (json) => {
    const house = shed()
    const task = await house.openTask()
    const [other, named] = [await house.active(task), await house.active(task)]
    await house.kill({ agent: 'nobody' })
    await house.behind((sqlite) => sqlite.prepare('update kills set selector_json = ?').run(json))
    await house.kill({ lease: named.id })
    await house.advanceKills()
    expect(await house.lease(other.id)).toMatchObject({ state: 'active' })
    expect(await house.lease(named.id)).toMatchObject({ state: 'ending', cause: 'killed' })
  })
})

describe('P13: an audit event whose row cannot be read', () => {
  it.each(["at = 'then'", 'at = 9e18', "hash = x'00'", "data_json = '{'"])(
    'keeps nothing from its start where it is the last, and the chain goes on (%s)',
    async (damage) => {
      const house = shed()
      const task = await house.openTask()
      const before = (await house.store.audit.head()).seq
      await house.behind((sqlite) =>
        sqlite.prepare(`update audit set ${damage} where seq = ?`).run(before),
      )
      expect(house.clock.now()).toBeLessThan(Date.UTC(2027, 1))
      const lease = await house.active(task)
      expect(await house.types(lease.id)).toEqual(['lease.reserved', 'lease.activated'])
      const verifier = new ChainVerifier()
      for (const event of await chain(house.store)) verifier.add(event)
      expect(verifier.result().problems[0]).toBe(`event ${before}: cannot be read`)
    },
  )

  it('hides no order of a kill from its receipt', async () => {
    const house = shed()
    await house.kill({ agent: 'nobody' })
    const kill = await house.kill({ agent: 'somebody' })
    await house.behind((sqlite) =>
      sqlite.exec("update audit set data_json = '{', at = 'then' where seq = 1"),
    )
    const order = await house.store.receipts.orderOfKill(kill)
    expect(order).toMatchObject({ actor: 'operator:on-call' })
  })
})

describe('P13: an approval whose row cannot be read', () => {
  it('is shown to nobody, approved by nobody, and neither kept alive nor in the way', async () => {
    const house = shed()
    const task = await house.openTask()
    const [bad, good] = [approvalRequest(house.clock.now()), approvalRequest(house.clock.now())]
    for (const approval of [bad, { ...good, grant: 'b'.repeat(64) }]) {
      await house.reserve(task, { approval })
    }
    await house.behind((sqlite) =>
      sqlite.prepare("update approvals set shown_json = '{' where id = ?").run(bad.id),
    )
    const { approvals } = house.store
    const page = { limit: 10, after: undefined }
    expect(await approvals.byId(bad.id)).toBeUndefined()
    expect((await approvals.list({ tenants: null }, page)).map(({ id }) => id)).toEqual([good.id])
    const due = await approvals.noticesDue(house.clock.now(), 10)
    expect(due.map(({ approval }) => approval.id)).toEqual([good.id])
    // P13: what nobody can be told of does not stand before the others again.
    const next = await approvals.noticesDue(house.clock.now(), 1)
    expect(next.map(({ approval }) => approval.id)).toEqual([good.id])
    await house.kill({ agent: 'summariser' })
    const events = (await house.store.audit.read(0, 100)).filter(
      ({ type }) => type === 'approval.expired',
    )
    expect(events.map(({ data }) => data.approval).toSorted()).toEqual([bad.id, good.id].toSorted())
  })
})
