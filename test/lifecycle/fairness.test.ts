import { expect, it } from 'vitest'
import { proved, Scripted, type Station, station } from './fixture.ts'

/** How long the upstream takes for one call, of which six of 25 leases are not kept for kills. */
const CALL_MS = 1_000
const ENDS_PER_SECOND = 6 * 25
/** Of two tenants each may have half of it. */
const FIVE_SHARES = (5 * ENDS_PER_SECOND) / 2

/** An upstream under which `looper` opens and ends at five times its share for four seconds. */
async function overrun(): Promise<{ one: Station; upstream: Scripted }> {
  const upstream = new Scripted()
  const one = station({ upstream })
  upstream.revoke = ({ orders }) =>
    new Promise((resolve) => one.time.after(CALL_MS, () => resolve(orders.map(proved))))
  await one.start()
  for (let n = 0; n < 8; n += 1) {
    const task = await one.openTask({ agent: 'looper', tenant: 'loopers' })
    const leases = await Promise.all(
      Array.from({ length: Math.ceil(FIVE_SHARES / 2) }, () => one.active(task)),
    )
    await Promise.all(leases.map((lease) => one.end(lease)))
    await one.pass(500)
  }
  const waiting = await one.store.endings.due('upstream', one.clock.now(), 10_000)
  expect(waiting.length).toBeGreaterThan(4 * ENDS_PER_SECOND)
  return { one, upstream }
}

it('P13: a tenant looping open and end at five times its share delays nobody else’s kill', async () => {
  const { one, upstream } = await overrun()
  const doomed = await one.active(await one.openTask())
  await one.kill({ agent: 'summariser' })
  await one.pass(0)
  expect(upstream.names().at(-1)).toEqual([doomed.upstreamName])
  await one.pass(CALL_MS)
  expect(await one.lease(doomed.id)).toMatchObject({ state: 'ended', containment: 'proved' })
})

it('P13: nor anybody else’s ordinary end by more than the calls under way', async () => {
  const { one, upstream } = await overrun()
  const own = await one.active(await one.openTask())
  await one.end(own)
  await one.pass(CALL_MS)
  expect(upstream.names().flat()).toContain(own.upstreamName)
})

it('P13: a tenant whose agents are killed by the thousand does not delay another’s kill', async () => {
  const { one, upstream } = await overrun()
  const task = await one.openTask({ agent: 'crowd', tenant: 'loopers' })
  await Promise.all(Array.from({ length: 1_000 }, () => one.active(task)))
  const doomed = await one.active(await one.openTask())
  await one.kill({ agent: 'crowd' })
  await one.pass(0)
  await one.kill({ agent: 'summariser' })
  await one.pass(CALL_MS)
  expect(upstream.names().flat()).toContain(doomed.upstreamName)
})
