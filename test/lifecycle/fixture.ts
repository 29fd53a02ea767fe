/**
 * The lifecycle over a real store, with providers whose every call a test scripts. Time passes by
 * hand; leases come from the store's own fixture.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import type { Broker, ProviderInstance } from '../../src/broker/broker.ts'
import { Health } from '../../src/broker/health.ts'
import { Pace } from '../../src/broker/pace.ts'
import { createDpop } from '../../src/identity/dpop.ts'
import { type Lifecycle, startLifecycle } from '../../src/lifecycle/lifecycle.ts'
import type {
  EndOrder,
  EndOutcome,
  InventoryRequest,
  Provider,
  RevokeBatch,
} from '../../src/provider.ts'
import { createSigner } from '../../src/signing/signer.ts'
import { settle } from '../fixture/time.ts'
import { type Shed, shed } from '../store/fixture.ts'

/** An upstream that refuses at once and proves it, until a test says otherwise. */
export class Scripted {
  /** Every revoke call, in order. */
  readonly calls: RevokeBatch[] = []
  readonly released: string[] = []
  readonly proofs: (readonly EndOrder[])[] = []
  revoke: (batch: RevokeBatch) => Promise<readonly EndOutcome[]> = async ({ orders }) =>
    orders.map(proved)
  prove: Provider['prove']
  inventory: Provider['inventory']
  giveBack: Provider['giveBack']
  upstreamTime: Provider['upstreamTime']
  findings: Awaited<ReturnType<Provider['check']>> = []

  instance(): Provider {
    const prove: Provider['prove'] = async (orders) => {
      this.proofs.push(orders)
      return (await this.prove?.(orders)) ?? []
    }
    return {
      mint: () => Promise.reject(new Error('nothing is minted here')),
      revoke: (batch) => {
        this.calls.push(batch)
        return this.revoke(batch)
      },
      ...(this.prove ? { prove } : {}),
      ...(this.inventory ? { inventory: (beside) => this.#listed(beside) } : {}),
      ...(this.upstreamTime ? { upstreamTime: this.upstreamTime } : {}),
      ...(this.giveBack ? { giveBack: (slots) => this.#given(slots) } : {}),
      release: async (orders) => {
        this.released.push(...orders.map((order) => order.upstreamName))
        return orders.map(proved)
      },
      check: async () => this.findings,
      close: async () => {},
    }
  }

  async #listed(beside: InventoryRequest | undefined) {
    return (await this.inventory?.(beside)) ?? []
  }

  async #given(slots: readonly string[]) {
    return (await this.giveBack?.(slots)) ?? []
  }

  /** Upstream names of each call, in order. */
  names(): string[][] {
    return this.calls.map(({ orders }) => orders.map((order) => order.upstreamName))
  }
}

export function proved({ lease }: EndOrder): EndOutcome {
  const proof = { method: 'lookup', at: 0 }
  return { lease, ok: true, containment: 'proved', exposedUntil: 0, proof }
}

export function enforced({ lease, nativeExpiresAt, latestPossibleExpiry }: EndOrder): EndOutcome {
  const exposedUntil = nativeExpiresAt ?? latestPossibleExpiry
  return { lease, ok: true, containment: 'enforced', exposedUntil }
}

export const hangs = (): Promise<never> => new Promise(() => {})

export interface Station extends Shed {
  readonly broker: Broker
  readonly logged: { level: string; message: string }[]
  /** Starts what runs by itself; stopped with the test. */
  start(): Promise<Lifecycle>
  /** Lets time pass and everything it set off come to rest. */
  pass(ms: number): Promise<void>
}

export function station(upstreams: Record<string, Scripted>, anchorPath?: string): Station {
  const one = shed()
  const logged: { level: string; message: string }[] = []
  const note = (level: string) => (_data: Record<string, unknown>, message: string) => {
    logged.push({ level, message })
  }
  const log = {
    debug: note('debug'),
    info: note('info'),
    warn: note('warn'),
    error: note('error'),
  }
  const instances = Object.entries(upstreams).map(([name, upstream]) => {
    // The lifecycle looks at nothing else of an instance.
    const instance = { provider: upstream.instance(), upstream: name }
    return [name, instance as ProviderInstance] as const
  })
  const world = {
    fingerprint: 'the world of this station',
    config: {
      audit: { anchorPath, everySeconds: 60 },
      store: { path: one.path },
      approvals: {},
      limits: { freeDiskReserveBytes: 0 },
    },
    policy: { hash: 'f00d' },
    providers: new Map(instances),
  }
  const health = new Health(one.clock)
  const pace = new Pace(one.clock)
  const broker: Broker = {
    get store() {
      return one.store
    },
    get clock() {
      return one.clock
    },
    random: (bytes) => randomBytes(bytes),
    log,
    health,
    pace,
    dpop: createDpop({
      publicUrl: 'http://broker',
      nonceKey: new Uint8Array(32),
      clock: one.clock,
    }),
    signer: createSigner({ keysDir: '/nowhere', clock: one.clock }),
    // What the lifecycle reads of a world, and no more.
    world: () => world as unknown as ReturnType<Broker['world']>,
  }
  return Object.assign(one, {
    broker,
    logged,
    async start() {
      // Its leases are of agents that are configured nowhere: they have been held against it.
      const mark = await one.store.signals.riskMark(one.clock.now())
      await one.store.noteEnforced(`${world.fingerprint} ${mark}`)
      const lifecycle = await startLifecycle(broker)
      onTestFinished(async () => {
        const stopped = lifecycle.stop(0)
        await one.time.advance(1)
        await stopped
      })
      await rest()
      return lifecycle
    },
    async pass(ms: number) {
      await one.time.advance(ms)
      await rest()
    },
  })
}

/** Group commits and scripted answers need turns of the event loop, disk checks real time. */
async function rest(): Promise<void> {
  for (let n = 0; n < 4; n += 1) {
    await settle()
    await sleep(1)
  }
}
