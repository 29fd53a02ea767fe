import type { Clock } from '../../src/clock.ts'
import { SKEW_MS } from '../../src/model/lifetime.ts'
import type { EndOrder, EndOutcome, ProviderLog, RevokeBatch } from '../../src/provider.ts'
import { UpstreamError } from '../../src/provider.ts'
import {
  documentName,
  documentText,
  documentWriter,
  entriesWithin,
  namesIn,
  ROLE_INLINE_CHARACTERS,
} from './deny-documents.ts'
import type { RolePolicies } from './role-policies.ts'
import { EMPTY_SURVEY, freeShard, type Survey, surveyOf } from './role-survey.ts'
import { SharedWrites } from './shared-writes.ts'
import type { UpstreamClock } from './upstream-clock.ts'

export interface DenialContext {
  readonly installation: string
  readonly epoch: number
  readonly clock: Clock
  readonly upstream: UpstreamClock
  readonly log: ProviderLog
  /** The account of the identity that ends; undefined while STS does not say. */
  readonly endersAccount: () => Promise<string | undefined>
}

/** An entry outlives what it refuses by this much: clocks differ, and a removal revives. */
const MARGIN_MS = 5 * 60_000
/** The longest session any role can give. */
const LONGEST_SESSION_SECONDS = 43_200
/** How long what other policies take up is believed. */
const SURVEY_MS = 5 * 60_000
/** A copy is relied on alone only once it has had time to bite everywhere. */
const SETTLE_MS = 5 * 60_000

/**
 * The one writer of one role's deny document, rebuilt from what it was told and what it found
 * upstream, never read back from itself. Writes are one at a time; what comes while one is under
 * way shares the next. A document another process wrote, or whose last write has an unknown
 * outcome, is never written again (a late write must not undo a newer one): a new shard takes
 * over, and the old one stays until its entries are copied and settled, or dead. An entry is dead
 * when our clock *and* AWS's say so.
 */
export class RoleDenials {
  readonly #context: DenialContext
  readonly #policies: RolePolicies
  readonly #writes: SharedWrites<RevokeBatch, readonly EndOutcome[]>
  /** Upstream name → the instant after which its entry is surely not needed. */
  readonly #entries = new Map<string, number>()
  /** Names found in earlier documents and taken over; those not in `#entries` are dead. */
  readonly #adopted = new Set<string>()
  /** Undefined until the role was looked at, and after a write of unknown outcome. */
  #shard: number | undefined
  /** What our document held when IAM last accepted it. */
  #written: ReadonlySet<string> = new Set()
  #survey: (Survey & { readonly at: number }) | undefined
  /** Since when our document holds every name of the earlier ones. */
  #copiedSince: number | undefined

  constructor(context: DenialContext, policies: RolePolicies) {
    this.#context = context
    this.#policies = policies
    this.#writes = new SharedWrites(context.clock, (batches, signal) =>
      this.#write(batches, signal),
    )
  }

  /** Lists the orders in the role's document; each has its own outcome. */
  refuse(batch: RevokeBatch): Promise<readonly EndOutcome[]> {
    return this.#writes.add(batch)
  }

  /** What the role's documents of this installation name, read now. */
  async inventory(signal: AbortSignal): Promise<readonly { policy: string; name: string }[]> {
    const policies = await this.#policies.all(signal)
    return policies
      .filter(({ name }) => documentWriter(this.#context.installation, name) !== undefined)
      .flatMap(({ name, text }) => namesIn(text).map((listed) => ({ policy: name, name: listed })))
  }

  /** survey → forget the dead → list → put → tidy earlier documents → answer. */
  async #write(
    batches: readonly RevokeBatch[],
    signal: AbortSignal,
  ): Promise<readonly (readonly EndOutcome[])[]> {
    const ours = await this.#isOurAccount()
    const survey = await this.#look(signal)
    this.#forgetDead()
    const orders = batches.flatMap((batch) => batch.orders)
    for (const order of batches.flatMap((batch) => batch.stillRefused)) this.#list(order)
    const added = orders.filter((order) => this.#listIfRoom(order, survey))
    const roleExists = await this.#put(survey, signal)
    if (!roleExists && !ours) {
      throw new UpstreamError(
        'unknown',
        'no role of this name is seen, but its account is not known',
      )
    }
    const refused = new Set([...this.#written, ...survey.earlier.flatMap(({ names }) => names)])
    // With the role gone, nothing its sessions could do is left.
    const holds = ({ upstreamName }: EndOrder) => !roleExists || refused.has(upstreamName)
    const full = this.#fullMessage(survey)
    // What is new and was not written is nowhere upstream: its next try starts afresh.
    for (const order of added) if (!holds(order)) this.#entries.delete(order.upstreamName)
    if (roleExists) await this.#tidy(survey, signal)
    return batches.map((batch) =>
      batch.orders.map((order) =>
        holds(order) ? enforced(order) : { lease: order.lease, ok: false, error: full },
      ),
    )
  }

  /** False: not known yet. A role of the same name in another account is not the one to write. */
  async #isOurAccount(): Promise<boolean> {
    const [theirs, ours] = [this.#policies.account, await this.#context.endersAccount()]
    if (ours === undefined || ours === theirs) return ours !== undefined
    throw new UpstreamError(
      'refused',
      `the role is in account ${theirs}, but the identity that ends leases is of ${ours}: use a provider of that account, or set revoke.role_arn to a role there`,
    )
  }

  /** What else the role holds; names in earlier documents that are new to us are taken over. */
  async #look(signal: AbortSignal): Promise<Survey> {
    const { clock, installation, epoch, log } = this.#context
    const known = this.#survey
    if (known && clock.now() - known.at < SURVEY_MS) return known
    const policies = await this.#policies.all(signal).catch(noneIfRoleGone)
    if (policies === undefined) return EMPTY_SURVEY
    this.#shard ??= freeShard(policies, { installation, epoch })
    const survey = surveyOf(policies, { installation, writer: { epoch, shard: this.#shard } })
    if (survey.outdated)
      log.warn({ epoch }, 'a later epoch writes this role: this broker is outdated')
    await this.#adopt(survey, signal)
    this.#survey = { ...survey, at: clock.now() }
    return survey
  }

  /** Nobody knows when those leases die, so: as long as any session of the role could live. */
  async #adopt(survey: Survey, signal: AbortSignal): Promise<void> {
    const found = survey.earlier.flatMap(({ names }) => names)
    const unknown = found.filter((name) => !this.#adopted.has(name))
    if (unknown.length === 0) return
    const seconds = (await this.#policies.maxSessionSeconds(signal)) ?? LONGEST_SESSION_SECONDS
    const until = this.#context.clock.now() + seconds * 1_000 + MARGIN_MS
    for (const name of unknown) {
      this.#adopted.add(name)
      this.#keep(name, until)
    }
    this.#copiedSince = undefined
    this.#context.log.info({ entries: unknown.length }, 'took over entries of earlier documents')
  }

  /** Adds an entry where the document still fits with it; true: it is new. */
  #listIfRoom(order: EndOrder, survey: Survey): boolean {
    const known = this.#entries.has(order.upstreamName)
    this.#list(order)
    if (known) return false
    if (this.#names(survey) !== undefined) return true
    this.#entries.delete(order.upstreamName)
    return false
  }

  /**
   * The names our document must hold: all entries, or, where there is no room for that, all but
   * those an earlier document still holds. Undefined: even those do not fit.
   */
  #names(survey: Survey): readonly string[] | undefined {
    const room = entriesWithin(ROLE_INLINE_CHARACTERS - charactersBeside(survey))
    if (this.#entries.size <= room) return [...this.#entries.keys()]
    const elsewhere = new Set(survey.earlier.flatMap(({ names }) => names))
    const needed = [...this.#entries.keys()].filter((name) => !elsewhere.has(name))
    return needed.length <= room ? needed : undefined
  }

  /** Writes the document as far as there is room for it; false: the role does not exist. */
  async #put(survey: Survey, signal: AbortSignal): Promise<boolean> {
    const { installation, epoch, clock } = this.#context
    const names = this.#names(survey)
    if (names === undefined || names.length === 0) return true
    const name = documentName(installation, { epoch, shard: this.#shard ?? 0 })
    try {
      await this.#policies.put({ name, text: documentText(names) }, signal)
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      if (error.upstreamCode === 'NoSuchEntity') return false
      this.#survey = undefined
      // Other policies have grown: what was written before stands, and is measured again.
      if (error.upstreamCode === 'LimitExceeded') return true
      if (error.outcome === 'unknown') this.#abandonShard()
      throw error
    }
    this.#written = new Set(names)
    const complete = names.length === this.#entries.size
    this.#copiedSince = complete ? (this.#copiedSince ?? clock.now()) : undefined
    return true
  }

  /** The write under way may still land: from now on another document is ours. */
  #abandonShard(): void {
    this.#shard = this.#shard === undefined ? undefined : this.#shard + 1
    this.#written = new Set()
    this.#copiedSince = undefined
  }

  /** Removes earlier documents once ours has held all their entries long enough, or all are dead. */
  async #tidy(survey: Survey, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    const settled = this.#copiedSince !== undefined && clock.now() - this.#copiedSince > SETTLE_MS
    const needless = (name: string) =>
      this.#adopted.has(name) && (!this.#entries.has(name) || (settled && this.#written.has(name)))
    for (const { policyName, names } of survey.earlier) {
      if (!names.every(needless)) continue
      try {
        const now = await this.#policies.read(policyName, signal)
        // Its writer is not as gone as it seemed.
        if (now && !namesIn(now.text).every(needless)) continue
        if (now) await this.#policies.delete(policyName, signal)
      } catch (error) {
        // It refuses only what is refused or dead anyway; a later write tries again.
        log.warn({ policy: policyName, error: String(error) }, 'an earlier document stays')
      }
      this.#survey = undefined
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
    return (
      `the role's inline policies hold at most ${ROLE_INLINE_CHARACTERS} characters: others take ` +
      `${charactersBeside(survey)}, and ${this.#entries.size} leases are listed; move permissions ` +
      'to managed policies or wait for listed leases to die'
    )
  }
}

function charactersBeside(survey: Survey): number {
  return survey.earlier.reduce((sum, { characters }) => sum + characters, survey.othersCharacters)
}

/** Enforced, not proved: IAM accepted it and tells nobody when it has arrived everywhere. */
function enforced(order: EndOrder): EndOutcome {
  return {
    lease: order.lease,
    ok: true,
    containment: 'enforced',
    exposedUntil: exposedUntil(order),
  }
}

/**
 * When the last known session dies by itself. `latestPossibleExpiry` lies just the clock skew behind
 * it; where it is later, a renewal's answer never came, and its session may exist.
 */
function exposedUntil({ nativeExpiresAt, latestPossibleExpiry }: EndOrder): number {
  if (nativeExpiresAt === null) return latestPossibleExpiry
  const renewing = latestPossibleExpiry > nativeExpiresAt + SKEW_MS
  return renewing ? latestPossibleExpiry : nativeExpiresAt
}

function noneIfRoleGone(error: unknown): undefined {
  if (error instanceof UpstreamError && error.upstreamCode === 'NoSuchEntity') return undefined
  throw error
}
