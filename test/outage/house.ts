import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { startLifecycle } from '../../src/lifecycle/lifecycle.ts'
import type { AnyProviderDefinition, Provider } from '../../src/provider.ts'
import { type House, starterPolicies, testBroker } from '../fixture/broker.ts'
import { ManualTime } from '../fixture/time.ts'
import { type Ground, PROVIDERS, startGround } from './ground.ts'

/** A broker with everything that runs by itself, over the three sandboxes, on simulated time. */
export interface OutageHouse {
  readonly house: House
  readonly ground: Ground
  readonly time: ManualTime
  /** Lets simulated time pass, second by second, each until all that it set off has come to rest. */
  pass(ms: number): Promise<void>
  close(): Promise<void>
}

/** Each kind of trouble is a thousand sweeps: none of them has to wait for a real disk. */
const MEMORY_DISK = '/dev/shm'
const STEP_MS = 1_000
/** So long nothing may happen, in real time, before a call that is kept waiting is left to wait. */
const STILL_MS = 10
/** And so long a call may be under way without anybody keeping it: a client waits to retry. */
const AWAY_MS = 2_000

export async function outageHouse(poolSize: number): Promise<OutageHouse> {
  const dir = mkdtempSync(join(existsSync(MEMORY_DISK) ? MEMORY_DISK : tmpdir(), 'mayfly-outage-'))
  const time = new ManualTime()
  const wait = (ms: number) => new Promise<void>((over) => void time.after(ms, over))
  letSignalsTime(time)
  const ground = await startGround({ now: time.wall, wait, poolSize })
  const calls = { aws: idle(), vault: idle(), gcp: idle() }
  const house = await testBroker({
    dir,
    time,
    secrets: ground.secrets,
    providers: PROVIDERS.map((name) => counted(ground.places[name].definition, calls[name])),
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
  const rest = async () => {
    let [last, since, began] = ['', performance.now(), performance.now()]
    for (;;) {
      for (let n = 0; n < 20; n += 1) await turn()
      const state = JSON.stringify([calls, faults.map(({ taken, waiting }) => [taken, waiting])])
      const now = performance.now()
      if (state !== last) [last, since] = [state, now]
      else if (PROVIDERS.every((name) => calls[name].underWay === 0)) return
      // Whoever keeps nobody waiting is still at work, however slow this machine is.
      const kept = PROVIDERS.every(
        (name) => calls[name].underWay === 0 || ground.places[name].faults.waiting > 0,
      )
      if (now - since > (kept ? STILL_MS : AWAY_MS) || now - began > 30_000) return
      await sleep(1)
    }
  }
  return {
    house,
    ground,
    time,
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += STEP_MS) {
        await time.advance(Math.min(STEP_MS, ms - passed))
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
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const idle = (): Calls => ({ underWay: 0, made: 0 })

interface Calls {
  underWay: number
  made: number
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

/** The providers bound some of their calls by signals of their own, which would know real time only. */
function letSignalsTime(time: ManualTime): void {
  AbortSignal.timeout = (ms) => {
    const controller = new AbortController()
    time.after(ms, () => controller.abort(new DOMException('timed out', 'TimeoutError')))
    return controller.signal
  }
}

/** Counts the calls of its instances, so that simulated time waits for what real time takes. */
function counted(definition: AnyProviderDefinition, calls: Calls): AnyProviderDefinition {
  return {
    ...definition,
    create: (context) =>
      new Proxy(definition.create(context), {
        get(provider, name) {
          const member: unknown = Reflect.get(provider, name)
          if (typeof member !== 'function') return member
          return async (...args: unknown[]) => {
            calls.underWay += 1
            calls.made += 1
            try {
              return await Reflect.apply(member, provider, args)
            } finally {
              calls.underWay -= 1
            }
          }
        },
      }) as Provider,
  }
}
