import type { LeaseId, TaskId } from '../../src/ids.ts'
import type { Lease } from '../../src/model/lease.ts'
import { Seeded } from '../crash/seeded.ts'
import type { MintRecord } from '../sandbox/ledger.ts'
import { isProbe } from '../sandbox/probes.ts'
import { PROVIDERS, type ProviderName } from './ground.ts'
import { type OutageHouse, outageHouse } from './house.ts'
import { type Ending, giveOrder, issue, lend, openFor } from './leases.ts'
import { endTrouble, type Trouble } from './trouble.ts'

export const OUTAGE_MS = 30 * 60_000
/** The promise: so long after the upstream is back all that ended meanwhile has ended there. */
export const BOUND_MS = 60_000
/** Leases of the other upstreams, which must not notice anything (P13). */
const OTHERS = 20
/** An end at a healthy upstream is there by then. */
const PROMPT_MS = 3_000
const RUNS_OUT_MS = 60_000
const MINT_EVERY_MS = 20_000
/** So long after the first end that failed, the circuit knows. */
const CIRCUIT_MS = 60_000
/** Well within the shortest life of a credential. */
const LOOK_EVERY_MS = 30_000
/** Denials bite by then, also at Google. */
const SETTLES_MS = 180_000

/** One kind of trouble at one upstream, and what it came to. */
export interface Cell {
  readonly provider: ProviderName
  readonly trouble: string
  readonly leases: number
  /** How long after the return the last was contained; undefined: not within the bound. */
  readonly containedAfterMs: number | undefined
  /** How long ends at the other upstreams took at most. */
  readonly othersMs: number
  readonly requests: number
  readonly minted: number
  readonly problems: readonly string[]
}

export async function runCell(options: {
  readonly provider: ProviderName
  readonly trouble: Trouble
  readonly leases: number
  readonly seed: number
}): Promise<Cell> {
  const { provider, trouble, leases, seed } = options
  const seeded = new Seeded(seed)
  const place = await outageHouse(OTHERS + (provider === 'gcp' ? leases + 150 : 0))
  try {
    const run = new Run(place, provider)
    for (const name of PROVIDERS) {
      const count = name === provider ? leases : OTHERS
      run.endings.push(
        ...(await lend(place, { provider: name, count, withinMs: OUTAGE_MS, seeded })),
      )
    }
    const began = place.ground.places[provider].faults.taken
    await trouble.begin(place.ground.places[provider], provider)
    await run.outage()
    const minted = await run.mintedTooLate()
    const requests = place.ground.places[provider].faults.taken - began
    await endTrouble(place.ground.places[provider], trouble)
    const containedAfterMs = await run.recovery()
    if (trouble.settlesMs !== undefined) await run.settle(trouble.settlesMs)
    await run.aftermath()
    const { othersMs, problems } = run
    if (minted > 0) problems.push(`P17: ${minted} were minted while nothing could be ended`)
    return {
      provider,
      trouble: trouble.name,
      leases,
      containedAfterMs,
      othersMs,
      requests,
      minted,
      problems: [...new Set(problems)],
    }
  } finally {
    await place.close()
  }
}

class Run {
  readonly endings: Ending[] = []
  readonly problems: string[] = []
  othersMs = 0
  #closedAt = Number.POSITIVE_INFINITY
  readonly #place: OutageHouse
  readonly #provider: ProviderName
  readonly #waiting = new Map<LeaseId, number>()
  /** Tasks that ask for a credential when nothing should be minted any more. */
  readonly #tooLate = new Set<TaskId>()

  constructor(place: OutageHouse, provider: ProviderName) {
    this.#place = place
    this.#provider = provider
  }

  async outage(): Promise<void> {
    const due = this.endings.toSorted((a, b) => a.at - b.at)
    for (let at = 0; at < OUTAGE_MS; at += 1_000) {
      while (due[0] && due[0].at <= at) {
        const ending = due.shift()
        if (!ending) break
        await giveOrder(this.#place, ending)
        if (ending.provider === this.#provider)
          this.#closedAt = Math.min(this.#closedAt, at + CIRCUIT_MS)
        else this.#waiting.set(ending.lease, at)
      }
      if (at % MINT_EVERY_MS === 0) await this.#tryToMint(at)
      await this.#place.pass(1_000)
      if (this.#waiting.size > 0) await this.#lookAtOthers(at + 1_000)
      if (at % LOOK_EVERY_MS === 0) await this.#lookAtLedger()
    }
  }

  /** Credentials the troubled upstream gave out after its ends had failed for a while. */
  async mintedTooLate(): Promise<number> {
    const byName = await this.#byName()
    const tasks = this.#ours().map(({ name }) => byName.get(name ?? '')?.task)
    return tasks.filter((task) => task !== undefined && this.#tooLate.has(task)).length
  }

  async recovery(): Promise<number | undefined> {
    for (let passed = 0; passed <= BOUND_MS; passed += 1_000) {
      const open = await this.#uncontained()
      if (open.length === 0) return passed
      if (passed === BOUND_MS) {
        for (const lease of open.slice(0, 3)) {
          this.problems.push(
            `${open.length} are not contained, as ${lease.state}/${lease.containment} after ${lease.attempts} attempts: ${lease.lastError}`,
          )
        }
      }
      await this.#place.pass(1_000)
    }
    return undefined
  }

  /** Until the sandbox, whose clock went back, has again what it had: no upstream forgets so. */
  async settle(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += LOOK_EVERY_MS) await this.#place.pass(LOOK_EVERY_MS)
  }

  /** Time for denials to bite, and for what was said to show whether it was true. */
  async aftermath(): Promise<void> {
    for (let passed = 0; passed < SETTLES_MS; passed += LOOK_EVERY_MS) {
      await this.#place.pass(LOOK_EVERY_MS)
      await this.#lookAtLedger()
    }
    const byName = await this.#byName()
    const working = this.#ours().filter((record) => record.works())
    for (const { upstream, name } of working) {
      const lease = byName.get(name ?? '')
      if (lease && lease.state !== 'active')
        this.problems.push(`${upstream}: what is ${lease.state}/${lease.containment} works`)
    }
  }

  /** Its answer may take longer than until the next try. */
  async #tryToMint(at: number): Promise<void> {
    const wish = { provider: this.#provider, n: at / MINT_EVERY_MS, ttlSeconds: 300 }
    const task = await openFor(this.#place, { ...wish, heartbeatSeconds: 600 })
    if (at >= this.#closedAt) this.#tooLate.add(task.id)
    void issue(this.#place, task, wish).catch(() => {})
  }

  async #lookAtOthers(at: number): Promise<void> {
    for (const [lease, since] of this.#waiting) {
      const row = await this.#place.house.store.leases.byId(lease)
      if (row && (isContained(row) || this.#runsOut(row))) {
        this.#waiting.delete(lease)
        this.othersMs = Math.max(this.othersMs, at - since)
      } else if (at - since > PROMPT_MS) {
        this.#waiting.delete(lease)
        this.problems.push(`P13: ${row?.provider} waits too: ${row?.state} ${row?.lastError}`)
      }
    }
  }

  /** Nothing is written at an upstream, also a healthy one, for what is about to die by itself. */
  #runsOut({ exposedUntil }: Lease): boolean {
    return exposedUntil - this.#place.time.wall() < RUNS_OUT_MS
  }

  async #lookAtLedger(): Promise<void> {
    const byName = await this.#byName()
    const now = this.#place.time.wall()
    for (const record of this.#ours()) {
      const lease = byName.get(record.name ?? '')
      if (!lease) this.problems.push(`P1: ${record.upstream} minted what no lease knows`)
      else if (record.works() && lease.state === 'ended')
        this.problems.push(`P6: what is ended (${lease.containment}) works`)
      else if (record.works() && lease.exposedUntil < now)
        this.problems.push(`P6: what is ${lease.state} works after exposed_until`)
    }
  }

  #ours(): MintRecord[] {
    return this.#place.ground.ledger.minted.filter(
      (record) => record.name !== undefined && !isProbe(record),
    )
  }

  async #uncontained(): Promise<Lease[]> {
    const now = this.#place.time.wall()
    const stored = (await this.#stored()).filter(({ provider }) => provider === this.#provider)
    return stored.filter(
      (lease) =>
        !(lease.state === 'active' && lease.expiresAt > now) &&
        lease.state !== 'failed' &&
        !isContained(lease),
    )
  }

  #stored(): Promise<readonly Lease[]> {
    const everything = { limit: 100_000, after: undefined }
    return this.#place.house.store.leases.list({ tenants: null }, everything)
  }

  async #byName(): Promise<ReadonlyMap<string, Lease>> {
    return new Map((await this.#stored()).map((lease) => [lease.upstreamName, lease]))
  }
}

/** AWS and Google tell nobody when a denial has arrived everywhere: there `enforced` is all. */
function isContained({ state, containment }: Lease): boolean {
  return state === 'ended' || containment === 'enforced' || containment === 'proved'
}
