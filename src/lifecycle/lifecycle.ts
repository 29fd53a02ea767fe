import type { Broker } from '../broker/broker.ts'
import { Anchoring } from './anchor.ts'
import { ApprovalNotices } from './approval-notices.ts'
import { ApprovalExpiry } from './approvals.ts'
import { Checks } from './checks.ts'
import { Doubts } from './doubts.ts'
import { EndingQueue } from './ending-queue.ts'
import { Enforcement } from './enforcement.ts'
import { sweepExpiry } from './expiry.ts'
import { advanceKills } from './kills.ts'
import { Reconciling } from './reconciliation.ts'
import { sweepSilence } from './silence.ts'

/** How late an expiry, a deadline or a lost heartbeat may be noticed. */
const SWEEP_MS = 1_000
const SETTLE_CHUNK = 200
/** Ends ordered meanwhile go upstream together; of an idle loop these take microseconds. */
const TURNS_TO_GATHER = 4
const HOLDING = 'holding leases against policies and risk'
/** A sweep this late means that the process or its clock was away, not that it was busy. */
const ABSENT_MS = 5_000

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
  const enforcement = new Enforcement(broker)
  const approvals = new ApprovalExpiry(broker)
  const notices = new ApprovalNotices(broker)
  const reconciling = new Reconciling(broker)
  const doubts = new Doubts(broker)
  let stopped = false
  let urgent: Promise<void> | undefined
  let again = false
  let sweeping: Promise<void> = Promise.resolve()
  let cancelTimer = () => {}
  let sweepDue = broker.clock.now()
  let absent = false

  /** Runs at once after a commit that ordered an end; a nudge meanwhile runs it once more. */
  const wake = (): void => {
    if (stopped) return
    void guarded('telling of approvals', () => notices.sweep())
    // Apart: many leases to decide must not keep others from their end.
    void guarded(HOLDING, () => enforcement.sweep())
    if (urgent) {
      again = true
      return
    }
    // Apart, so that a kill that cannot be handed on does not keep other leases from their end.
    const dispatch = () => guarded('ending queue', () => endings.dispatch())
    urgent = turnsOfTheLoop(TURNS_TO_GATHER)
      .then(() => guarded('handing on kills', () => advanceKills(broker, dispatch)))
      .then(dispatch)
      .finally(() => {
        urgent = undefined
        if (again) {
          again = false
          wake()
        }
      })
  }
  const sweep = (): void => {
    const late = broker.clock.now() - sweepDue
    absent ||= late > ABSENT_MS
    sweeping = sweepAll().finally(() => {
      sweepDue = broker.clock.now() + SWEEP_MS
      if (!stopped) cancelTimer = broker.clock.after(SWEEP_MS, sweep)
    })
  }
  /** Each for itself: what fails is tried again, and keeps nothing else from its turn (P13). */
  const sweepAll = async (): Promise<void> => {
    await guarded('ending silent tasks', async () => {
      // Time in which nobody could listen does not count against a task (P7).
      if (absent) await broker.store.tasks.forgiveSilence(broker.clock.now())
      absent = false
      await sweepSilence(broker)
    })
    await guarded('expiry', () => sweepExpiry(broker))
    await guarded('ending approvals', () => approvals.sweep())
    await guarded('settling', () => settleStranded(broker))
    wake()
    // Not waited for: a disk or an anchor that hangs must not keep leases from their end.
    void guarded('checks', () => checks.sweep())
    void guarded('anchoring', () => anchoring.sweep())
    reconciling.sweep()
    doubts.sweep()
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
      reconciling.stop()
      doubts.stop()
      const idle = Promise.all([
        sweeping,
        urgent,
        endings.stop(),
        notices.stop(),
        enforcement.stop(),
      ]).then(() => anchoring.write())
      let cancelGrace = () => {}
      const grace = new Promise<void>((over) => {
        cancelGrace = broker.clock.after(graceMs, over)
      })
      await Promise.race([idle, grace])
      cancelGrace()
    },
  }
}

/** What a full disk or a failing one kept from being written down: mints are chased, renewals over. */
async function settleStranded({ store, clock, log }: Broker): Promise<void> {
  const settled = await store.leases.settleStranded(clock.now(), SETTLE_CHUNK)
  if (settled > 0)
    log.warn({ leases: settled }, 'mints and renewals that were stranded are settled')
}

async function turnsOfTheLoop(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((next) => setImmediate(next))
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
