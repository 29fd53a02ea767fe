import type { Broker } from '../broker/broker.ts'
import { Anchoring } from './anchor.ts'
import { Checks } from './checks.ts'
import { EndingQueue } from './ending-queue.ts'
import { sweepExpiry } from './expiry.ts'
import { advanceKills } from './kills.ts'
import { sweepSilence } from './silence.ts'

/** How late an expiry, a deadline or a lost heartbeat may be noticed. */
const SWEEP_MS = 1_000
const SETTLE_CHUNK = 200

export interface Lifecycle {
  /** Stops starting anything; resolves when what runs has finished, or after `graceMs`. */
  stop(graceMs: number): Promise<void>
}

/**
 * What runs by itself: kills are fanned out, the ending queue is worked, leases and tasks end on
 * time or in silence. One timer; everything due is found by index, so that neither start-up time
 * nor memory grows with the number of live leases (P14).
 */
export async function startLifecycle(broker: Broker): Promise<Lifecycle> {
  await settleAfterRestart(broker)
  const endings = new EndingQueue(broker)
  const checks = new Checks(broker)
  const anchoring = new Anchoring(broker)
  let stopped = false
  let urgent: Promise<void> | undefined
  let again = false
  let sweeping: Promise<void> = Promise.resolve()
  let cancelTimer = () => {}

  /** Runs at once after a commit that ordered an end; a nudge meanwhile runs it once more. */
  const wake = (): void => {
    if (stopped) return
    if (urgent) {
      again = true
      return
    }
    urgent = guarded('ending queue', async () => {
      await advanceKills(broker)
      await endings.dispatch()
    }).finally(() => {
      urgent = undefined
      if (again) {
        again = false
        wake()
      }
    })
  }
  const sweep = (): void => {
    sweeping = guarded('sweep', async () => {
      await sweepSilence(broker)
      await sweepExpiry(broker)
      await checks.sweep()
      await anchoring.sweep()
      wake()
    }).finally(() => {
      if (!stopped) cancelTimer = broker.clock.after(SWEEP_MS, sweep)
    })
  }
  const guarded = (what: string, run: () => Promise<void>): Promise<void> =>
    run().catch((error) => {
      if (!stopped) broker.log.error({ err: error }, `${what} failed; it is tried again`)
    })

  broker.store.onWork(wake)
  sweep()
  return {
    async stop(graceMs) {
      stopped = true
      cancelTimer()
      checks.stop()
      const idle = Promise.all([sweeping, urgent, endings.stop()])
      let cancelGrace = () => {}
      const grace = new Promise<void>((over) => {
        cancelGrace = broker.clock.after(graceMs, over)
      })
      await Promise.race([idle, grace])
      cancelGrace()
      await anchoring.write()
    },
  }
}

/** What was under way when the process died, and silence while nobody listened (P1, P7). */
async function settleAfterRestart({ store, clock, log }: Broker): Promise<void> {
  let settled = 0
  for (;;) {
    const chunk = await store.leases.settleAfterRestart(clock.now(), SETTLE_CHUNK)
    settled += chunk
    if (chunk < SETTLE_CHUNK) break
  }
  if (settled > 0) log.warn({ leases: settled }, 'mints of unknown outcome are being ended')
  await store.tasks.forgiveSilence(clock.now())
}
