import { describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import type { NewSignal } from '../../src/store/store.ts'
import { idSource } from '../fixture/ids.ts'
import { type Shed, shed } from './fixture.ts'

const told = (one: Shed, agent: string, change: Partial<NewSignal> = {}): NewSignal => ({
  id: newId('sig', idSource),
  source: 'siem',
  messageId: `${agent} ${Math.random()}`,
  bodyHash: 'hash',
  receivedAt: one.clock.now(),
  subject: { agent },
  effective: [{ agent }],
  level: 'MEDIUM',
  action: 'risk',
  reason: 'odd',
  expiresAt: null,
  ...change,
})

const about = async (one: Shed) => {
  const { risks, riskMark } = one.store.signals
  const found = (await risks(one.clock.now())).map(({ subject, level }) => [subject, level])
  return [await riskMark(one.clock.now()), found] as const
}

describe('P3: the signals that count', () => {
  it('are those in the database, whichever of them came, went or was undone', async () => {
    const one = shed()
    const { signals } = one.store
    const until = one.clock.now() + 60_000
    await signals.receive(told(one, 'a'), [])
    const [before] = await about(one)
    await signals.receive(told(one, 'b', { expiresAt: until }), [])
    await signals.receive(told(one, 'a', { level: 'HIGH' }), [])
    const cleared = await signals.receive(told(one, 'c'), [])
    if (!cleared.ok) throw new Error('not received')
    await about(one)
    const order = {
      actor: 'operator:on-call',
      reason: 'false alarm',
      now: one.clock.now(),
    } as const
    await signals.clear({ ...order, ids: [cleared.signal.id] })
    const vanished = one.store.leases.activate('lease_none', one.facts(), one.clock.now())
    await Promise.allSettled([signals.receive(told(one, 'd'), []), vanished])
    const three = await about(one)
    expect(three[0]).not.toBe(before)
    expect(three[1].toSorted()).toEqual(
      [
        [{ agent: 'b' }, 'MEDIUM'],
        [{ agent: 'a' }, 'HIGH'],
        [{ agent: 'd' }, 'MEDIUM'],
      ].toSorted(),
    )
    await one.restart()
    expect((await about(one))[0]).toBe(three[0])
    await one.time.advance(60_000)
    expect((await about(one))[1]).toHaveLength(2)
  })
})
