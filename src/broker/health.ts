import type { Clock } from '../clock.ts'
import type { DriftKind } from '../model/drift.ts'
import { SKEW_MS } from '../model/lifetime.ts'
import type { Doubt, Finding } from '../provider.ts'
import { type Circuit, DIRECTIONS, type Direction, PAUSE_MS } from './circuit.ts'

/** What cannot be ended must not be minted (P17); these bounds say when that is in doubt. */
const FAILURES_TO_OPEN = 5
/**
 * An upstream that asks for more is not left alone for longer: what waits there is to be ended within
 * a minute of its return.
 */
export const LONGEST_PAUSE_MS = 30_000
/** A measured skew is forgotten after this long, so that a corrected clock is noticed. */
const SKEW_MEMORY_MS = 60_000
/** A slot on which nothing could be minted is tried last for this long. */
const SLOT_REST_MS = 60_000

interface ProviderState {
  failures: Record<Direction, number>
  openedAt: Record<Direction, number | undefined>
  skew: { ms: number; at: number } | undefined
  /** Until when, on the monotonic tick, it asked to be left alone. */
  pausedUntil: number
  blocking: readonly string[]
  doubts: readonly Doubt[]
}

/**
 * What is known of the upstreams and this host: circuits per provider and direction, clock skew,
 * missing permissions, free disk. Asked before every mint.
 */
export class Health {
  readonly #clock: Clock
  readonly #providers = new Map<string, ProviderState>()
  readonly #refusedSlots = new Map<string, number>()
  readonly #drift = new Map<string, ReadonlyMap<DriftKind, number>>()
  readonly #lost = new Map<string, number>()
  readonly #fullness = new Map<string, number>()
  #diskProblem: string | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  succeeded(provider: string, direction: Direction): void {
    const state = this.#stateOf(provider)
    state.failures[direction] = 0
    state.openedAt[direction] = undefined
  }

  failed(provider: string, direction: Direction): void {
    const state = this.#stateOf(provider)
    state.failures[direction] += 1
    if (state.failures[direction] >= FAILURES_TO_OPEN) {
      state.openedAt[direction] = this.#clock.monotonic()
    }
  }

  /** The upstream has too much to do: nothing that waits for it is begun before (P13). */
  askedToWait(provider: string, ms: number): void {
    const state = this.#stateOf(provider)
    const until = this.#clock.monotonic() + Math.min(ms, LONGEST_PAUSE_MS)
    state.pausedUntil = Math.max(state.pausedUntil, until)
  }

  /** How much longer the upstream asked to be left alone; 0: it may be asked. */
  pauseMs(provider: string): number {
    return Math.max(0, this.#stateOf(provider).pausedUntil - this.#clock.monotonic())
  }

  /** Upstream clock minus ours, in milliseconds. Returns whether minting is still safe. */
  measuredSkew(provider: string, ms: number): boolean {
    this.#stateOf(provider).skew = { ms, at: this.#clock.monotonic() }
    return Math.abs(ms) <= SKEW_MS
  }

  checked(provider: string, findings: readonly Finding[]): void {
    const blocking = findings.filter((finding) => finding.level === 'blocking')
    this.#stateOf(provider).blocking = blocking.map((finding) => finding.what)
  }

  /**
   * Where the upstream's yes to an end is in doubt, as the last look found it. Returns whether any is
   * new.
   */
  doubted(provider: string, doubts: readonly Doubt[]): boolean {
    const state = this.#stateOf(provider)
    const before = new Set(state.doubts.map(({ group }) => group))
    state.doubts = doubts
    return doubts.some(({ group }) => !before.has(group))
  }

  /**
   * Why nothing begins now: the wall clock leapt so far ahead that nobody knows what time it is, and
   * what would begin in that future could outlive its deadline (P5). Ends and kills go on.
   */
  timeInDoubt(): string | undefined {
    if (this.#clock.latest() <= this.#clock.now()) return undefined
    return 'the clock of the broker leapt far ahead, and nobody has confirmed it yet'
  }

  /** What stood against an upstream says nothing of another that bears its name from now on. */
  forget(provider: string): void {
    this.#providers.delete(provider)
    this.#drift.delete(provider)
    this.#fullness.delete(provider)
  }

  disk(problem: string | undefined): void {
    this.#diskProblem = problem
  }

  /** Why nothing is written that is not needed to contain; undefined: there is room. */
  diskShort(): string | undefined {
    return this.#diskProblem
  }

  /**
   * Why nothing that must be ended early may be minted there now; undefined if it may. Agents hear
   * it: what names an identity of ours, or a target, is for `report`.
   */
  notRevocable(provider: string): string | undefined {
    const state = this.#stateOf(provider)
    if (this.#diskProblem !== undefined) return this.#diskProblem
    const failedAt = state.openedAt.revoke
    if (failedAt !== undefined && this.#clock.monotonic() - failedAt < PAUSE_MS.revoke) {
      return `ending leases at ${provider} fails at present`
    }
    if (state.blocking.length > 0) {
      return `what ${provider} issues could not be ended: its check found why`
    }
    if (state.doubts.length > 0) {
      return `${provider} does not do what it accepts: what it should refuse may still work`
    }
    const { skew } = state
    const fresh = skew && this.#clock.monotonic() - skew.at < SKEW_MEMORY_MS
    if (fresh && Math.abs(skew.ms) > SKEW_MS) {
      return `the clocks of ${provider} and this host differ by ${Math.round(skew.ms / 1000)} s`
    }
    return undefined
  }

  /** Why the upstream should not even be asked now: it failed repeatedly a moment ago. */
  mintPaused(provider: string): string | undefined {
    const opened = this.#stateOf(provider).openedAt.mint
    if (opened === undefined || this.#clock.monotonic() - opened >= PAUSE_MS.mint) return undefined
    return `${provider} does not answer at present`
  }

  /** An upstream surely refused to mint on this slot: others are taken first for a while. */
  slotRefused(provider: string, slot: string): void {
    this.#refusedSlots.set(`${provider} ${slot}`, this.#clock.monotonic())
  }

  /** The slots in the order in which they had better be tried. */
  slotsInTurn(provider: string, slots: readonly string[]): readonly string[] {
    const rests = (slot: string) => {
      const at = this.#refusedSlots.get(`${provider} ${slot}`)
      return at !== undefined && this.#clock.monotonic() - at < SLOT_REST_MS
    }
    return slots.some(rests) ? [...slots.filter((s) => !rests(s)), ...slots.filter(rests)] : slots
  }

  /** What the last look found at a provider that differs from the store. */
  reconciled(provider: string, drift: ReadonlyMap<DriftKind, number>): void {
    this.#drift.set(provider, drift)
  }

  drift(): ReadonlyMap<string, ReadonlyMap<DriftKind, number>> {
    return this.#drift
  }

  /** An upstream accepts again what it had refused. */
  containmentLost(provider: string): void {
    this.#lost.set(provider, (this.#lost.get(provider) ?? 0) + 1)
  }

  /** How often that happened since the start, by provider. */
  lostContainments(): ReadonlyMap<string, number> {
    return this.#lost
  }

  /** A credential took this part of the room its upstream gives it: beyond 1 it is refused. */
  filled(provider: string, fullness: number): void {
    this.#fullness.set(provider, Math.max(fullness, this.#fullness.get(provider) ?? 0))
  }

  /** The fullest credential of each provider since the start, where its upstream says so. */
  fullest(): ReadonlyMap<string, number> {
    return this.#fullness
  }

  /** How each direction of each provider fares that was asked: one may be open without the other. */
  circuits(): readonly Circuit[] {
    const now = this.#clock.monotonic()
    return [...this.#providers].flatMap(([provider, { failures, openedAt }]) =>
      DIRECTIONS.map((direction) => {
        const opened = openedAt[direction]
        const open = opened !== undefined && now - opened < PAUSE_MS[direction]
        return { provider, direction, open, failures: failures[direction] }
      }),
    )
  }

  /** One line per provider with trouble, for those who may see every tenant. */
  report(): { readonly provider: string; readonly problem: string }[] {
    return [...this.#providers.keys()].flatMap((provider) => {
      const { doubts, blocking } = this.#stateOf(provider)
      const [doubted] = doubts.map(({ group, what }) => `${group}: ${what}`)
      const found = doubted ?? blocking[0]
      const problem = found ?? this.notRevocable(provider) ?? this.mintPaused(provider)
      return problem === undefined ? [] : [{ provider, problem }]
    })
  }

  #stateOf(provider: string): ProviderState {
    let state = this.#providers.get(provider)
    if (!state) {
      state = {
        failures: { mint: 0, revoke: 0 },
        openedAt: { mint: undefined, revoke: undefined },
        skew: undefined,
        pausedUntil: Number.NEGATIVE_INFINITY,
        blocking: [],
        doubts: [],
      }
      this.#providers.set(provider, state)
    }
    return state
  }
}
