import type { Clock } from '../../src/clock.ts'
import type { ContainmentProof } from '../../src/model/lease.ts'
import type { EndOrder, ProofOutcome, ProviderLog } from '../../src/provider.ts'
import type { Look, ProbeSession } from './probe-session.ts'
import { type Refused, refuses } from './refused.ts'

/** Refusals in a row, in each region, that count as proof: a region's frontends learn one by one. */
const REFUSALS = 3
const LOOK_EVERY_MS = 1_000
/** What AWS means by "a few minutes" at the most; the canary itself lives for 15. */
const LOOK_FOR_MS = 5 * 60_000
/** After a trial that showed nothing, and between any two. */
const PAUSE_MS = 60_000
const BREATH_MS = 1_000

/** The role's deny document, as a trial needs it. */
export interface TriedDocument {
  /** Writes it with this name in it; undefined: there is no room for that. */
  listCanary(name: string, signal: AbortSignal): Promise<Refused | undefined>
  /** Whether IAM holds it, and nobody else touched it since its canary was listed. */
  stands(signal: AbortSignal): Promise<boolean>
}

export interface Trying {
  readonly role: string
  readonly epoch: number
  readonly regions: readonly string[]
  readonly document: TriedDocument
  readonly open: (
    of: { readonly name: string; readonly target: unknown; readonly tenant: string },
    signal: AbortSignal,
  ) => Promise<ProbeSession>
  readonly clock: Clock
  readonly log: ProviderLog
}

/**
 * The proof that a role's leases are refused: a canary that was allowed before the version of the
 * document that lists it, and them, is refused in each region, while a control, which no document
 * ever lists, stays allowed. A canary proves nothing of a version written after its own: what is
 * ended meanwhile waits for the next one. One trial of a role at a time, beside all ends, which wait
 * for no more of it than its one write; what it saw is told to whoever asks next. Nothing outlives a restart: a new instance
 * begins with a new canary.
 */
export class ContainmentTrials {
  readonly #trying: Trying
  /** What must be seen refused, by upstream name. */
  readonly #wanted = new Map<string, EndOrder>()
  readonly #proved = new Map<string, { order: EndOrder; proof: ContainmentProof; told: boolean }>()
  readonly #stop = new AbortController()
  #underWay: Promise<void> | undefined
  #notBefore = Number.NEGATIVE_INFINITY

  constructor(trying: Trying) {
    this.#trying = trying
  }

  /** These end now. One whose proof was told already is not refused any more, or so it seems. */
  want(orders: readonly EndOrder[]): void {
    this.#forgetDead()
    for (const order of orders) {
      const proved = this.#proved.get(order.upstreamName)
      if (proved && !proved.told) continue
      this.#proved.delete(order.upstreamName)
      const wanted = this.#wanted.get(order.upstreamName)
      if (!wanted || !isSame(wanted, order)) this.#wanted.set(order.upstreamName, order)
    }
  }

  /** What was seen by now; begins a trial where something is left to be seen. Waits for nothing. */
  proofs(orders: readonly EndOrder[]): readonly ProofOutcome[] {
    const wanted = orders.some(({ upstreamName }) => this.#wanted.has(upstreamName))
    if (wanted && !this.#underWay && this.#trying.clock.monotonic() >= this.#notBefore) {
      this.#underWay = this.#try().finally(() => {
        this.#underWay = undefined
      })
    }
    return orders.map(({ lease, upstreamName }) => {
      const proved = this.#proved.get(upstreamName)
      if (!proved) return { lease }
      proved.told = true
      return { lease, proof: proved.proof }
    })
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#underWay
  }

  async #try(): Promise<void> {
    const { clock, log, role } = this.#trying
    const fault = await this.#trial().catch((error: unknown) =>
      error instanceof Error ? error.message : 'it failed',
    )
    if (this.#stop.signal.aborted) return
    this.#notBefore = clock.monotonic() + (fault === undefined ? BREATH_MS : PAUSE_MS)
    if (fault === undefined) return
    log.warn({ role, fault }, 'whether the ended leases of this role are refused was not seen')
  }

  /** open canary and control → both allowed → list the canary → look → read back. Its fault, if any. */
  async #trial(): Promise<string | undefined> {
    const { epoch, regions, document, clock, open } = this.#trying
    const signal = this.#stop.signal
    // A row that could not be read has no target.
    const some = [...this.#wanted.values()].find(({ target }) => target !== null)
    if (!some) return undefined
    const sessions: ProbeSession[] = []
    const probe = async (kind: 'canary' | 'control') => {
      const name = `mf-${kind}-${epoch}-${clock.now().toString(36)}`
      const made = await open({ name, target: some.target, tenant: some.tenant }, signal)
      sessions.push(made)
      return made
    }
    try {
      const [canary, control] = [await probe('canary'), await probe('control')]
      const barred = await this.#barred([canary, control])
      if (barred !== undefined) return barred
      const written = await document.listCanary(canary.name, signal)
      if (!written) return 'the role’s inline policies have no room for a canary'
      const tried = [...this.#wanted.values()].filter((order) => refuses(written, order))
      const fault = await this.#look(canary, control)
      if (fault !== undefined) return fault
      if (!(await document.stands(signal))) return 'somebody changed the deny document'
      const proof = { method: 'canary', regions, at: clock.now() }
      for (const order of tried) {
        // Of one that is another by now, with a session more, a later trial tells.
        if (this.#wanted.get(order.upstreamName) !== order) continue
        this.#wanted.delete(order.upstreamName)
        this.#proved.set(order.upstreamName, { order, proof, told: false })
      }
      return undefined
    } finally {
      for (const session of sessions) session.close()
    }
  }

  /** Who is not let in before anything refuses it shows nothing later. */
  async #barred(sessions: readonly ProbeSession[]): Promise<string | undefined> {
    const { regions } = this.#trying
    const looks = await Promise.all(
      sessions.flatMap((session) =>
        regions.map(async (region) => ({ region, look: await this.#ask(session, region) })),
      ),
    )
    const barred = looks.find(({ look }) => look !== 'allowed')
    return barred && `a new session of the role cannot ask STS in ${barred.region}`
  }

  async #look(canary: ProbeSession, control: ProbeSession): Promise<string | undefined> {
    const { regions, clock } = this.#trying
    const refusals = new Map(regions.map((region) => [region, 0]))
    const lagging = () => regions.filter((region) => (refusals.get(region) ?? 0) < REFUSALS)
    const until = clock.monotonic() + LOOK_FOR_MS
    while (lagging().length > 0) {
      if (clock.monotonic() > until) return `the canary is not refused in ${lagging().join(', ')}`
      const looks = await Promise.all(
        lagging().map(async (region) => {
          const seen = await this.#ask(canary, region)
          const spared = seen === 'refused' ? await this.#ask(control, region) : undefined
          const counts = seen === 'refused' && spared === 'allowed'
          refusals.set(region, counts ? (refusals.get(region) ?? 0) + 1 : 0)
          return { region, spared }
        }),
      )
      const hit = looks.find(({ spared }) => spared === 'refused')
      if (hit) return `in ${hit.region} a session is refused that no document lists`
      if (this.#stop.signal.aborted) return 'it was stopped'
      if (lagging().length > 0) await this.#pause()
    }
    return undefined
  }

  #ask(session: ProbeSession, region: string): Promise<Look> {
    return session.look(region, this.#stop.signal)
  }

  #pause(): Promise<void> {
    const { signal } = this.#stop
    return new Promise((resolve) => {
      const cancel = this.#trying.clock.after(LOOK_EVERY_MS, over)
      signal.addEventListener('abort', over)
      function over(): void {
        cancel()
        signal.removeEventListener('abort', over)
        resolve()
      }
    })
  }

  #forgetDead(): void {
    const now = this.#trying.clock.earliest()
    const dead = ({ latestPossibleExpiry }: EndOrder) => latestPossibleExpiry <= now
    for (const [name, order] of this.#wanted) if (dead(order)) this.#wanted.delete(name)
    for (const [name, { order }] of this.#proved) if (dead(order)) this.#proved.delete(name)
  }
}

/** As far as it decides what refuses it. */
function isSame(one: EndOrder, other: EndOrder): boolean {
  const [a, b] = [one, other].map(({ handle, nativeExpiresAt, latestPossibleExpiry }) =>
    JSON.stringify([handle, nativeExpiresAt, latestPossibleExpiry]),
  )
  return a === b
}
