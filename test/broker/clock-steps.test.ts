import fc from 'fast-check'
import { expect, it } from 'vitest'
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
  | { readonly kind: 'restart' | 'issue' }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 10 * MINUTE }) }),
  fc.record({
    kind: fc.constant('wall' as const),
    ms: fc.constantFrom(...[MINUTE, HOUR, DAY, 3 * DAY].flatMap((ms) => [ms, -ms])),
  }),
  fc.constantFrom({ kind: 'restart' } as const, { kind: 'issue' } as const),
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
      const broker = () =>
        ({ store: one.store, clock: one.clock }) as Parameters<typeof sweepExpiry>[0]
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
          if (lease.state === 'ended' && !steps.some(isForward))
            expect(real()).toBeGreaterThanOrEqual(until)
        }
      }
      await one.store.close()
    }),
    { numRuns: 25 },
  )
}, 60_000)

function isForward(one: Step): boolean {
  return one.kind === 'wall' && one.ms > 0
}
