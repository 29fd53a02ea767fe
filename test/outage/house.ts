import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { startLifecycle } from '../../src/lifecycle/lifecycle.ts'
import { type House, starterPolicies, testBroker } from '../fixture/broker.ts'
import { ManualTime } from '../fixture/time.ts'
import { type Ground, PROVIDERS, startGround } from './ground.ts'
import { Requests } from './requests.ts'
import { simulateTimers } from './simulated-timers.ts'

/** A broker with everything that runs by itself, over the three sandboxes, on simulated time. */
export interface OutageHouse {
  readonly house: House
  readonly ground: Ground
  readonly time: ManualTime
  /** Lets simulated time pass, timer by timer, each until all that it set off has come to rest. */
  pass(ms: number): Promise<void>
  close(): Promise<void>
}

/** Each kind of trouble is a thousand sweeps: none of them has to wait for a real disk. */
const MEMORY_DISK = '/dev/shm'
/** Turns of the event loop in which an answer comes to all whom it concerns. */
const STILL_TURNS = 40
/** A request that is away for so long and so many turns is lost: no machine is that slow. */
const LOST_TURNS = 100_000
const LOST_MS = 30_000

export async function outageHouse(poolSize: number): Promise<OutageHouse> {
  const dir = mkdtempSync(join(existsSync(MEMORY_DISK) ? MEMORY_DISK : tmpdir(), 'mayfly-outage-'))
  const time = new ManualTime()
  const wait = (ms: number) => new Promise<void>((over) => void time.after(ms, over))
  const realTimers = simulateTimers(time)
  const requests = new Requests()
  const ground = await startGround({ now: time.wall, wait, poolSize })
  const house = await testBroker({
    dir,
    time,
    secrets: ground.secrets,
    providers: PROVIDERS.map((name) => ground.places[name].definition),
    policies: [...starterPolicies(), { name: 'outage.cedar', text: PERMIT }],
    change: (document) => {
      for (const name of PROVIDERS) {
        const { settings, entitlements } = ground.places[name]
        document.providers[name] = settings
        document.entitlements.push(
          ...entitlements.map(({ id, target, ceiling, accept = [] }) => ({
            id,
            tenants: ['support'],
            provider: name,
            target,
            ceiling: [ceiling],
            accept_residuals: [...accept],
            max_ttl: '1h',
          })),
        )
      }
      document.limits = LIMITS
    },
  })
  const lifecycle = await startLifecycle(house.broker)
  const faults = PROVIDERS.map((name) => ground.places[name].faults)
  /** Until all requests are answered, refused or kept waiting, and what that set off is done. */
  const rest = async () => {
    let [last, still, began] = ['', 0, performance.now()]
    for (let turns = 0; still < STILL_TURNS; turns += 1) {
      await turn()
      const waiting = faults.reduce((sum, one) => sum + one.waiting, 0)
      const state = [requests.made, requests.underWay, waiting].join()
      still = state === last && requests.underWay <= waiting ? still + 1 : 0
      last = state
      if (turns > LOST_TURNS && performance.now() - began > LOST_MS)
        throw new Error(`${requests.underWay - waiting} requests are neither answered nor kept`)
    }
  }
  return {
    house,
    ground,
    time,
    async pass(ms) {
      const end = time.monotonic() + ms
      await rest()
      while (time.monotonic() < end) {
        await time.advance(Math.max(0, Math.min(time.nextDue(), end) - time.monotonic()))
        await rest()
      }
    },
    async close() {
      const stopped = lifecycle.stop(0)
      await time.advance(1)
      await stopped
      await house.close()
      for (const name of PROVIDERS) await ground.places[name].close()
      await house.issuer.close()
      requests.close()
      realTimers()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const LIMITS = {
  open_tasks_per_agent: 10_000,
  active_leases_per_agent: 10_000,
  issues_per_minute_per_agent: 100_000,
  high_impact_per_hour_per_agent: 100_000,
}
const PERMIT = `@id("outage")
permit (
  principal is Mayfly::Agent,
  action == Mayfly::Action::"requestCredential",
  resource is Mayfly::Entitlement
);
`
