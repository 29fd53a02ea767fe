import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Broker } from '../broker/broker.ts'
import { SKEW_MS } from '../model/lifetime.ts'
import type { Provider } from '../provider.ts'

const CHECK_EVERY_MS = 60_000
const DISK_EVERY_MS = 5_000

/** Looks, now and then, whether what is minted could be ended: permissions, free disk (P17). */
export class Checks {
  readonly #broker: Broker
  #checkedAt = Number.NEGATIVE_INFINITY
  #diskAt = Number.NEGATIVE_INFINITY
  #stopped = false
  readonly #underWay = new Set<Provider>()

  constructor(broker: Broker) {
    this.#broker = broker
  }

  async sweep(): Promise<void> {
    const tick = this.#broker.clock.monotonic()
    if (tick - this.#diskAt >= DISK_EVERY_MS) {
      this.#diskAt = tick
      reportLeap(this.#broker)
      reportRestored(this.#broker)
      await checkDisk(this.#broker)
    }
    if (tick - this.#checkedAt >= CHECK_EVERY_MS) {
      this.#checkedAt = tick
      // Also writes down how late it is, so that an idle night cannot be turned back (P5).
      await this.#broker.store.ready()
      reportBehind(this.#broker)
      await reportUnreadable(this.#broker)
      for (const [name, { provider }] of this.#broker.world().providers) {
        void this.#checkProvider(name, provider)
      }
    }
  }

  /** What a provider under way still finds is not heard: its upstream is being let go. */
  stop(): void {
    this.#stopped = true
  }

  /** One that hangs holds up no other, and is not asked again meanwhile (P13). */
  async #checkProvider(name: string, provider: Provider): Promise<void> {
    const { health, log, world } = this.#broker
    if (this.#underWay.has(provider)) return
    this.#underWay.add(provider)
    try {
      const findings = await provider.check()
      if (this.#stopped || world().providers.get(name)?.provider !== provider) return
      health.checked(name, findings)
      for (const { level, what, fix } of findings) {
        if (level === 'blocking')
          log.error({ provider: name, what, fix }, 'a provider is not usable')
      }
    } catch (error) {
      // An upstream that is away says nothing about permissions; the circuits notice it.
      if (!this.#stopped)
        log.warn({ provider: name, err: error }, 'a provider could not be checked')
    } finally {
      this.#underWay.delete(provider)
    }
  }
}

/** Until an operator sets the clock right, or restarts with their word for it, nothing begins (P5). */
function reportLeap({ health, clock, log }: Broker): void {
  const problem = health.timeInDoubt()
  if (problem === undefined) return
  const [known, wall] = [clock.now(), clock.latest()].map((at) => new Date(at).toISOString())
  const fix = `set the clock right, or restart with --accept-time ${wall}`
  log.error({ known, wall, fix }, problem)
}

/** Until an operator has confirmed it, nothing begins (P8). */
function reportRestored({ store, log }: Broker): void {
  const restored = store.restoration()
  if (restored?.confirmed !== false) return
  log.error(
    { detected_at: new Date(restored.at).toISOString(), fix: 'mayfly restore confirm' },
    'an older database was put in place of this one: nothing is opened or issued until an operator confirms it',
  )
}

/** A clock set back, or a time that was wrongly believed: only a person can tell which (P5). */
function reportBehind({ clock, log }: Broker): void {
  const [known, wall] = [clock.now(), clock.earliest()]
  if (known - wall <= SKEW_MS) return
  log.warn(
    { known: new Date(known).toISOString(), wall: new Date(wall).toISOString() },
    'the clock of this host is behind a time that was recorded: until it has caught up, evidence looks expired and credentials end early',
  )
}

/** A damaged signal keeps its subject at HIGH until somebody mends it: they have to be told (P3). */
async function reportUnreadable({ store, clock, log }: Broker): Promise<void> {
  const risks = await store.signals.risks(clock.now())
  const signals = risks.filter((signal) => signal.unreadable).map(({ id }) => id)
  if (signals.length === 0) return
  log.error({ signals }, 'stored signals cannot be read; they count as HIGH until mended')
}

async function checkDisk({ world, health, log }: Broker): Promise<void> {
  const { store, limits } = world().config
  const { bavail, bsize } = await statfs(dirname(store.path))
  const free = bavail * bsize
  const short = free < limits.freeDiskReserveBytes
  const problem = short
    ? 'the disk is nearly full; what is left is kept for ending leases'
    : undefined
  if (problem) log.error({ free_bytes: free }, problem)
  health.disk(problem)
}
