import { describe, expect, it } from 'vitest'
import { decision, type Shed, shed } from './fixture.ts'

const HERE = new Map([['upstream', 'fake here']])
const THERE = new Map([['upstream', 'fake there']])

async function adopted(): Promise<Shed> {
  const one = shed()
  expect(await one.store.adoptUpstreams(HERE, [])).toEqual([])
  return one
}

describe('P6: what a provider reaches', () => {
  it('cannot change while a lease of it is live, ending or of unknown outcome, also after a restart', async () => {
    const one = await adopted()
    const task = await one.openTask()
    await one.reserved(task)
    await one.end(await one.active(task))
    const lost = await one.reserved(task)
    await one.store.leases.unknownOutcome(lost.id, 'no answer', one.clock.now())
    const abandoned = [{ provider: 'upstream', upstream: 'fake here', live: 3, dead: 0 }]
    expect(await one.store.adoptUpstreams(THERE, [])).toEqual(abandoned)
    await one.restart()
    expect(await one.store.abandonedUpstreams(THERE)).toEqual(abandoned)
    expect(await one.store.abandonedUpstreams(new Map())).toEqual(abandoned)
    expect(await one.store.abandonedUpstreams(HERE)).toEqual([])
  })

  it('cannot change while something dead is not cleaned up there', async () => {
    const one = await adopted()
    const lease = await one.active(await one.openTask(), { slots: ['a'] })
    await one.end(lease)
    await one.time.advance(400_000)
    const now = one.clock.now()
    expect(await one.store.endings.runOut('upstream', now, 10)).toBe(1)
    expect(await one.store.adoptUpstreams(THERE, [])).toMatchObject([{ live: 0, dead: 1 }])
    await one.store.endings.released(lease.id, now)
    expect(await one.store.adoptUpstreams(THERE, [])).toEqual([])
  })

  it('is another upstream for leases that were planned before it changed: nothing is reserved', async () => {
    const one = await adopted()
    const task = await one.openTask()
    await one.store.adoptUpstreams(THERE, [])
    const decided = decision(one.clock.now())
    expect(await one.reserve(task, { decision: decided })).toEqual({ ok: false, why: 'moved' })
    expect(await one.store.decisions.byId(decided.id)).toMatchObject({ rails: ['moved'] })
    expect(await one.reserve(task, { provider: 'gone', upstream: 'fake here' })).toMatchObject({
      why: 'moved',
    })
    expect(await one.reserve(task, { upstream: 'fake there' })).toMatchObject({ ok: true })
  })

  it('changes, or something is reserved: never both in one moment', async () => {
    for (const first of ['change', 'reserve'] as const) {
      const one = await adopted()
      const task = await one.openTask()
      const change = () => one.store.adoptUpstreams(THERE, [])
      const reserve = () => one.reserve(task)
      const both =
        first === 'change'
          ? ([change(), reserve()] as const)
          : ([reserve(), change()].toReversed() as [
              ReturnType<typeof change>,
              ReturnType<typeof reserve>,
            ])
      const [abandoned, reserved] = await Promise.all(both)
      expect([abandoned.length, reserved.ok]).toEqual(first === 'change' ? [0, false] : [1, true])
    }
  })

  it('P12: is recorded together with the reload that changed it, or not at all', async () => {
    const one = await adopted()
    const event = { type: 'config.reloaded', actor: 'mayfly', data: {} } as const
    await one.store.adoptUpstreams(THERE, [event])
    expect((await one.store.audit.read(0, 10)).map(({ type }) => type)).toEqual(['config.reloaded'])
    await one.reserved(await one.openTask(), { upstream: 'fake there' })
    await one.store.adoptUpstreams(HERE, [event])
    const types = (await one.store.audit.read(0, 100)).map(({ type }) => type)
    expect(types.filter((type) => type === 'config.reloaded')).toHaveLength(1)
    await expect(
      one.store.adoptUpstreams(new Map([...THERE, ['more', 'fake more']]), [
        { ...event, data: { never: 1n } },
      ]),
    ).rejects.toThrow()
    const task = await one.openTask()
    const more = { provider: 'more', upstream: 'fake more' }
    expect(await one.reserve(task, more)).toMatchObject({ why: 'moved' })
    expect(await one.reserve(task, { upstream: 'fake there' })).toMatchObject({ ok: true })
  })
})
