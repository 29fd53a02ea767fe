import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Broker } from '../../src/broker/broker.ts'
import { sweepExpiry } from '../../src/lifecycle/expiry.ts'
import { sweepSilence } from '../../src/lifecycle/silence.ts'
import { START } from '../fixture/time.ts'
import { shed } from '../store/fixture.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const TTL_MS = 5 * MINUTE

type Step =
  | { readonly kind: 'pass' | 'wall'; readonly ms: number }
  | { readonly kind: 'restart' | 'issue' | 'hear' }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 10 * MINUTE }) }),
  fc.record({
    kind: fc.constant('wall' as const),
    ms: fc.constantFrom(...[MINUTE, HOUR, DAY, 3 * DAY].flatMap((ms) => [ms, -ms])),
  }),
  fc.constantFrom({ kind: 'restart' }, { kind: 'issue' }, { kind: 'hear' }),
) as fc.Arbitrary<Step>

it.each([
  ['tells the time', true],
  ['never tells the time', false],
])(
  'P6: whatever the clock does, what an upstream that %s still honours is not ended',
  async (_, tells) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
        const one = shed()
        const real = () => START + one.time.monotonic()
        const minted = new Map<`lease_${string}`, number>()
        let heard = false
        // Nobody can tell a clock that was stepped while the broker was down from the time that passed.
        let believedWrong = false
        const provider = tells ? { upstreamTime: () => (heard ? real() : undefined) } : {}
        const world = () => ({ providers: new Map([['upstream', { provider }]]) })
        for (const next of [{ kind: 'issue' } as const, ...steps, { kind: 'restart' } as const]) {
          if (next.kind === 'pass') await one.time.advance(next.ms)
          if (next.kind === 'wall') one.time.stepWall(next.ms)
          if (next.kind === 'hear') heard = true
          if (next.kind === 'restart') {
            heard = false
            believedWrong ||= !tells && one.time.wall() > real()
            await one.restart()
          }
          if (next.kind === 'issue') {
            const lease = await one.active(await one.openTask({ deadline: one.clock.now() + HOUR }))
            minted.set(lease.id, real() + TTL_MS)
          }
          // What a sweep of time asks of a broker, and no more.
          const broker = { store: one.store, clock: one.clock, world } as unknown as Broker
          await sweepExpiry(broker)
          for (const [id, until] of minted) {
            const { state } = await one.lease(id)
            if (state === 'ended' && !believedWrong) expect(real()).toBeGreaterThanOrEqual(until)
            if (state === 'active') expect(real()).toBeLessThan(until)
          }
        }
        await one.time.advance(HOUR)
        heard = true
        await sweepExpiry({ store: one.store, clock: one.clock, world } as unknown as Broker)
        // Later ones may have been minted in a future that has not come yet.
        const [first] = minted.keys()
        if (first && one.time.wall() >= real()) expect((await one.lease(first)).state).toBe('ended')
        await one.store.close()
      }),
      { numRuns: 25 },
    )
  },
  60_000,
)

it('P5: no step of the clock, up or down, lets a lease outlive its native time or be forgotten', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
      const one = shed()
      // What the upstream goes by: time that really passed, whatever our clock says.
      const real = () => START + one.time.monotonic()
      const minted = new Map<`lease_${string}`, number>()
      const lend = async () => {
        const task = await one.openTask({ deadline: one.clock.now() + HOUR })
        const lease = await one.active(task)
        minted.set(lease.id, real() + TTL_MS)
      }
      const world = () => ({ providers: new Map() })
      const broker = () => ({ store: one.store, clock: one.clock, world }) as unknown as Broker
      await lend()
      let known = one.clock.now()
      for (const next of [...steps, { kind: 'restart' } as const]) {
        if (next.kind === 'pass') await one.time.advance(next.ms)
        if (next.kind === 'wall') one.time.stepWall(next.ms)
        if (next.kind === 'restart') await one.restart()
        if (next.kind === 'issue') await lend()
        expect(one.clock.now()).toBeGreaterThanOrEqual(known)
        known = one.clock.now()
        await sweepSilence(broker())
        await sweepExpiry(broker())
        for (const [id, until] of minted) {
          const lease = await one.lease(id)
          // Never active longer than real time says, beyond one sweep and a step's rounding.
          if (lease.state === 'active') expect(real()).toBeLessThan(until + 1_000)
        }
      }
      await one.store.close()
    }),
    { numRuns: 25 },
  )
}, 60_000)
