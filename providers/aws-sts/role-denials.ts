import type { Clock } from '../../src/clock.ts'
import type { EndOrder, EndOutcome, ProviderLog, RevokeBatch } from '../../src/provider.ts'
import { UpstreamError } from '../../src/provider.ts'
import {
  countedCharacters,
  documentEpoch,
  documentName,
  documentText,
  entriesWithin,
  namesIn,
  ROLE_INLINE_CHARACTERS,
} from './deny-documents.ts'
import type { RolePolicies } from './role-policies.ts'
import type { UpstreamClock } from './upstream-clock.ts'

export interface DenialContext {
  readonly installation: string
  readonly epoch: number
  readonly clock: Clock
  readonly upstream: UpstreamClock
  readonly log: ProviderLog
}

/** An entry outlives what it refuses by this much: clocks differ, and a removal revives. */
const MARGIN_MS = 5 * 60_000
/** The longest session any role can give. */
const LONGEST_SESSION_SECONDS = 43_200
/** How long what other policies take up is believed. */
const SURVEY_MS = 5 * 60_000
/** A copy is relied on alone only once it has had time to bite everywhere. */
const SETTLE_MS = 5 * 60_000
const WRITE_DEADLINE_MS = 15_000

/** A document of this installation under an earlier epoch, left where it is until it is copied. */
interface Earlier {
  readonly policyName: string
  readonly names: readonly string[]
  readonly characters: number
}

interface Survey {
  readonly at: number
  /** Characters of inline policies that are not ours to write. */
  readonly othersCharacters: number
  readonly earlier: readonly Earlier[]
}

interface Job {
  readonly batch: RevokeBatch
  readonly done: PromiseWithResolvers<readonly EndOutcome[]>
}

/**
 * The one writer of one role's deny document, rebuilt from what it was told (and, once, from what
 * it found upstream), never from its own document. Writes are one at a time; what comes while one
 * is under way shares the next. An entry is dropped only when it is dead by our clock *and* AWS's.
 */
export class RoleDenials {
  readonly #context: DenialContext
  readonly #policies: RolePolicies
  readonly #name: string
  /** Upstream name → the instant after which its entry is surely not needed. */
  readonly #entries = new Map<string, number>()
  /** What our document held when IAM last accepted it. */
  #written: ReadonlySet<string> = new Set()
  #adopted = false
  #survey: Survey | undefined
  /** Since when our document holds every name of the earlier ones. */
  #copiedSince: number | undefined
  #queue: Job[] = []
  #busy = false

  constructor(context: DenialContext, policies: RolePolicies) {
    this.#context = context
    this.#policies = policies
    this.#name = documentName(context.installation, context.epoch)
  }

  /** Lists the orders in the role's document; each has its own outcome. */
  refuse(batch: RevokeBatch): Promise<readonly EndOutcome[]> {
    const done = Promise.withResolvers<readonly EndOutcome[]>()
    const giveUp = () =>
      done.reject(new UpstreamError('unknown', 'the deny document was not written in time'))
    if (batch.signal.aborted) giveUp()
    else batch.signal.addEventListener('abort', giveUp, { once: true })
    this.#queue.push({ batch, done })
    void this.#drain()
    return done.promise.finally(() => batch.signal.removeEventListener('abort', giveUp))
  }

  /** What the role's documents of this installation name, read now. */
  async inventory(signal: AbortSignal): Promise<readonly { policy: string; name: string }[]> {
    const policies = await this.#policies.all(signal)
    return policies
      .filter(({ name }) => documentEpoch(this.#context.installation, name) !== undefined)
      .flatMap(({ name, text }) => namesIn(text).map((listed) => ({ policy: name, name: listed })))
  }

  async #drain(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    while (this.#queue.length > 0) {
      const jobs = this.#queue.filter(({ batch }) => !batch.signal.aborted)
      this.#queue = []
      if (jobs.length === 0) continue
      const deadline = this.#deadlineOf(jobs)
      try {
        await this.#write(jobs, deadline.signal)
      } catch (error) {
        for (const { done } of jobs) done.reject(error)
      } finally {
        deadline.clear()
      }
    }
    this.#busy = false
  }

  /** survey → forget the dead → list → put → tidy earlier documents → answer. */
  async #write(jobs: readonly Job[], signal: AbortSignal): Promise<void> {
    const survey = await this.#look(signal)
    this.#forgetDead()
    const orders = jobs.flatMap(({ batch }) => batch.orders)
    for (const order of jobs.flatMap(({ batch }) => batch.stillRefused)) this.#list(order)
    for (const order of orders) this.#listIfRoom(order, survey)
    const roleExists = await this.#put(survey, signal)
    const refused = new Set([...this.#written, ...survey.earlier.flatMap(({ names }) => names)])
    const full = this.#fullMessage(survey)
    const outcome = (order: EndOrder): EndOutcome =>
      // With the role gone, nothing its sessions could do is left.
      !roleExists || refused.has(order.upstreamName)
        ? enforced(order)
        : { lease: order.lease, ok: false, error: full }
    const outcomes = new Map(orders.map((order) => [order.lease, outcome(order)]))
    // What did not fit is not ours to list: its next try makes a new attempt.
    for (const order of orders) {
      if (!outcomes.get(order.lease)?.ok) this.#entries.delete(order.upstreamName)
    }
    if (roleExists) await this.#tidy(survey, signal)
    for (const { batch, done } of jobs) {
      done.resolve(batch.orders.flatMap((order) => outcomes.get(order.lease) ?? []))
    }
  }

  /** What else the role holds; the first time, what this installation wrote before as well. */
  async #look(signal: AbortSignal): Promise<Survey> {
    const { clock, installation, epoch, log } = this.#context
    const known = this.#survey
    if (known && clock.now() - known.at < SURVEY_MS) return known
    const policies = await this.#policies.all(signal).catch(roleGone)
    const others = policies.filter(({ name }) => name !== this.#name)
    const earlier = others
      .filter(({ name }) => (documentEpoch(installation, name) ?? epoch) < epoch)
      .map(({ name, text }) => ({
        policyName: name,
        names: namesIn(text),
        characters: countedCharacters(text),
      }))
    if (!this.#adopted) await this.#adopt(policies, signal)
    if (others.some(({ name }) => (documentEpoch(installation, name) ?? 0) > epoch)) {
      log.warn({ policy: this.#name }, 'a later epoch writes this role: this broker is outdated')
    }
    const counted = others.filter(({ name }) => !earlier.some((e) => e.policyName === name))
    const othersCharacters = counted.reduce((sum, { text }) => sum + countedCharacters(text), 0)
    this.#survey = { at: clock.now(), othersCharacters, earlier }
    return this.#survey
  }

  /** Takes over what is listed upstream; nobody knows when those leases die, so: the longest. */
  async #adopt(
    policies: readonly { name: string; text: string }[],
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, installation, epoch, log } = this.#context
    const ours = policies.filter(({ name }) => {
      const written = documentEpoch(installation, name)
      return written !== undefined && written <= epoch
    })
    const names = ours.flatMap(({ text }) => namesIn(text))
    if (names.length > 0) {
      const seconds = (await this.#policies.maxSessionSeconds(signal)) ?? LONGEST_SESSION_SECONDS
      const until = clock.now() + seconds * 1_000 + MARGIN_MS
      for (const name of names) this.#keep(name, until)
      log.info({ entries: names.length, policies: ours.length }, 'adopted deny documents')
    }
    this.#adopted = true
  }

  /** A new entry only where the document still fits with it. */
  #listIfRoom(order: EndOrder, survey: Survey): void {
    const known = this.#entries.has(order.upstreamName)
    this.#list(order)
    if (!known && this.#names(survey) === undefined) this.#entries.delete(order.upstreamName)
  }

  /**
   * The names our document must hold: all entries, or, where there is no room for that, all but
   * those an earlier document still holds. Undefined: even those do not fit.
   */
  #names(survey: Survey): readonly string[] | undefined {
    const held = survey.earlier.reduce((sum, { characters }) => sum + characters, 0)
    const room = entriesWithin(ROLE_INLINE_CHARACTERS - survey.othersCharacters - held)
    if (this.#entries.size <= room) return [...this.#entries.keys()]
    const elsewhere = new Set(survey.earlier.flatMap(({ names }) => names))
    const needed = [...this.#entries.keys()].filter((name) => !elsewhere.has(name))
    return needed.length <= room ? needed : undefined
  }

  /** Writes the document as far as there is room for it; false: the role does not exist. */
  async #put(survey: Survey, signal: AbortSignal): Promise<boolean> {
    const names = this.#names(survey)
    if (names === undefined || names.length === 0) return true
    try {
      await this.#policies.put({ name: this.#name, text: documentText(names) }, signal)
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      if (error.upstreamCode === 'NoSuchEntity') return false
      if (error.upstreamCode !== 'LimitExceeded') throw error
      // Other policies have grown: what was written before stands, and is measured again.
      this.#survey = undefined
      return true
    }
    this.#written = new Set(names)
    const complete = names.length === this.#entries.size
    this.#copiedSince = complete ? (this.#copiedSince ?? this.#context.clock.now()) : undefined
    return true
  }

  /** Removes earlier documents once ours has held all their entries long enough, or all are dead. */
  async #tidy(survey: Survey, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    const settled = this.#copiedSince !== undefined && clock.now() - this.#copiedSince > SETTLE_MS
    for (const { policyName, names } of survey.earlier) {
      if (!settled && names.some((name) => this.#entries.has(name))) continue
      try {
        await this.#policies.delete(policyName, signal)
        this.#survey = undefined
      } catch (error) {
        // It refuses only what is refused or dead anyway; the next write tries again.
        log.warn({ policy: policyName, error: String(error) }, 'an earlier document stays')
      }
    }
  }

  #list(order: EndOrder): void {
    this.#keep(order.upstreamName, order.latestPossibleExpiry + MARGIN_MS)
  }

  #keep(name: string, until: number): void {
    this.#entries.set(name, Math.max(until, this.#entries.get(name) ?? 0))
  }

  #forgetDead(): void {
    const { clock, upstream } = this.#context
    const surely = Math.min(clock.now(), upstream.now() ?? 0)
    for (const [name, until] of this.#entries) if (until <= surely) this.#entries.delete(name)
  }

  #fullMessage(survey: Survey): string {
    const earlier = survey.earlier.reduce((sum, { characters }) => sum + characters, 0)
    const others = survey.othersCharacters + earlier
    return (
      `the role's inline policies hold at most ${ROLE_INLINE_CHARACTERS} characters: other policies ` +
      `take ${others}, and ${this.#entries.size} leases are listed; move permissions to managed ` +
      'policies or wait for listed leases to die'
    )
  }

  /** Ends when nobody waits any more, and at the latest after the write deadline. */
  #deadlineOf(jobs: readonly Job[]) {
    const controller = new AbortController()
    const left = () => {
      if (jobs.every(({ batch }) => batch.signal.aborted)) controller.abort()
    }
    for (const { batch } of jobs) batch.signal.addEventListener('abort', left)
    const cancel = this.#context.clock.after(WRITE_DEADLINE_MS, () => controller.abort())
    const clear = () => {
      cancel()
      for (const { batch } of jobs) batch.signal.removeEventListener('abort', left)
    }
    return { signal: controller.signal, clear }
  }
}

/** Enforced, not proved: IAM accepted it and tells nobody when it has arrived everywhere. */
function enforced(order: EndOrder): EndOutcome {
  return {
    lease: order.lease,
    ok: true,
    containment: 'enforced',
    exposedUntil: order.nativeExpiresAt ?? order.latestPossibleExpiry,
  }
}

function roleGone(error: unknown): readonly { name: string; text: string }[] {
  if (error instanceof UpstreamError && error.upstreamCode === 'NoSuchEntity') return []
  throw error
}
