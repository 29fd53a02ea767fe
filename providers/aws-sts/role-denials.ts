import type { Clock } from '../../src/clock.ts'
import type { DocumentWriter, UpstreamWriter } from '../../src/model/upstream-writer.ts'
import type { EndOrder, EndOutcome, ProviderLog, RevokeBatch } from '../../src/provider.ts'
import { UpstreamError } from '../../src/provider.ts'
import { Adoption, surely } from './adoption.ts'
import { documentName, documentText, documentWriter } from './deny-documents.ts'
import { DocumentVersions } from './document-versions.ts'
import { asFarAsKnown, enforced } from './end-outcome.ts'
import { deleteNeedless } from './needless-documents.ts'
import { Refusals, refusesNothing } from './refusals.ts'
import { type Refused, refuses, together } from './refused.ts'
import { type InlinePolicy, isOfAccount, type RolePolicies } from './role-policies.ts'
import { EMPTY_SURVEY, fullMessage, type Survey, surveyOf } from './role-survey.ts'
import { SharedWrites } from './shared-writes.ts'
import { tagDenialsFor } from './tag-denials.ts'
import { UnseenWrite } from './unseen-write.ts'
import type { UpstreamClock } from './upstream-clock.ts'

export interface DenialContext {
  readonly installation: string
  readonly role: string
  readonly writer: UpstreamWriter
  readonly clock: Clock
  readonly upstream: UpstreamClock
  readonly log: ProviderLog
  /** The account of the identity that ends; undefined while STS does not say. */
  readonly endersAccount: () => Promise<string | undefined>
  /** Ends are asked for again until they are proved: the same document is not written again then. */
  readonly looksAgain: boolean
}

/** How long what other policies take up is believed. */
const SURVEY_MS = 5 * 60_000
/** A copy is relied on alone only once it has had time to bite everywhere. */
const SETTLE_MS = 5 * 60_000
/** Who falls sooner never lives to remove what it copied, and its copies would only fill the role. */
const COPIES_AFTER_MS = 60_000

/**
 * The one writer of one role's deny document, rebuilt from what it was told and what it found
 * upstream. Writes are one at a time; what comes while one is under way shares the next. A late
 * write must not undo a newer one: a document whose last write has an unknown outcome, or that was
 * written by a process of which a write may still arrive, is never written again. Another shard
 * takes over, and the old one stays until its entries are copied and settled, or dead. What stands
 * under our own name, by a process long gone, goes on where it is; what another instance in this
 * process writes is neither copied nor deleted. An entry is dead when our clock *and* AWS's say so.
 */
export class RoleDenials {
  readonly #context: DenialContext
  readonly #policies: RolePolicies
  readonly #writes: SharedWrites<RevokeBatch, readonly EndOutcome[]>
  readonly #refusals = new Refusals()
  /** Undefined until the role was looked at, and after a write of unknown outcome. */
  #shard: number | undefined
  readonly #versions = new DocumentVersions()
  readonly #unseen: UnseenWrite
  #survey: (Survey & { readonly at: number }) | undefined
  readonly #adoption: Adoption
  readonly #copiesFrom: number
  #closed = false

  constructor(context: DenialContext, policies: RolePolicies) {
    this.#context = context
    this.#policies = policies
    this.#unseen = new UnseenWrite(context.clock, policies)
    this.#adoption = new Adoption(context, { policies, refusals: this.#refusals })
    this.#copiesFrom = context.clock.monotonic() + COPIES_AFTER_MS
    this.#writes = new SharedWrites(context.clock, (batches, signal) =>
      this.#write(batches, signal).finally(() => this.#closed && this.#leaveShard()),
    )
  }

  /** Others may take over what it wrote, once what is under way is over. */
  close(): void {
    this.#closed = true
    if (!this.#writes.busy) this.#leaveShard()
  }

  /** Lists the orders in the role's document; each has its own outcome. */
  refuse(batch: RevokeBatch): Promise<readonly EndOutcome[]> {
    return this.#writes.add(asFarAsKnown(batch))
  }

  /** Lists it instead of an earlier one; the version that first held it, unless there is no room. */
  async listCanary(name: string, signal: AbortSignal): Promise<Refused | undefined> {
    this.#refusals.canary = name
    await this.#writes.add({ group: null, orders: [], stillRefused: [], signal })
    return this.#versions.firstWith(name)
  }

  /** Whether IAM holds our document, and nobody touched it since its canary was listed. */
  async stands(signal: AbortSignal): Promise<boolean> {
    const before = this.#versions.untouched()
    const found = await this.#policies.read(this.#documentName(), signal)
    // One of ours may be on its way while it is read.
    const after = this.#versions.untouched()
    return found !== undefined && after.length > 0 && [...before, ...after].includes(found.text)
  }

  /** Why the ends that IAM accepted here are in doubt, looked at now; undefined: they are not. */
  async doubt(signal: AbortSignal): Promise<string | undefined> {
    try {
      if (this.#unseen.doubt === undefined) await this.#unseen.look(signal)
      else await this.#writes.add({ group: null, orders: [], stillRefused: [], signal })
    } catch (error) {
      // A look or a write that failed has shown nothing.
      if (!(error instanceof UpstreamError)) throw error
    }
    if (this.#unseen.doubt !== undefined) {
      // What stands is read anew: nothing of it is what we were told.
      this.#versions.forget()
      this.#survey = undefined
    }
    return this.#unseen.doubt
  }

  /** The role's documents of this installation, read now. */
  async documents(signal: AbortSignal): Promise<readonly InlinePolicy[]> {
    const before = this.#versions.last
    const policies = await this.#policies.all(signal)
    // What was written meanwhile may not be among them.
    if (before === this.#versions.last) this.#noticeChange(policies)
    return policies.filter(
      ({ name }) => documentWriter(this.#context.installation, name) !== undefined,
    )
  }

  /** survey → forget the dead → list → put → tidy earlier documents → answer. */
  async #write(
    batches: readonly RevokeBatch[],
    signal: AbortSignal,
  ): Promise<readonly (readonly EndOutcome[])[]> {
    const ours = isOfAccount(this.#policies, await this.#context.endersAccount())
    const survey = await this.#look(signal)
    this.#refusals.forgetDead(surely(this.#context))
    for (const batch of batches) this.#listTogether(batch, survey)
    const orders = batches.flatMap((batch) => batch.orders)
    for (const order of batches.flatMap((batch) => batch.stillRefused)) this.#refusals.list(order)
    const added = orders.filter((order) => this.#refusals.listIfRoom(order, survey))
    const roleExists = await this.#put(survey, signal)
    if (!roleExists && !ours) {
      throw new UpstreamError(
        'unknown',
        'no role of this name is seen, but its account is not known',
      )
    }
    const refused = this.#refusedBy(survey)
    // With the role gone, nothing its sessions could do is left.
    const holds = (order: EndOrder) => !roleExists || refuses(refused, order)
    const full = fullMessage(survey, this.#refusals.size)
    // What is new and was not written is nowhere upstream: its next try starts afresh.
    for (const order of added) if (!holds(order)) this.#refusals.forget(order)
    if (roleExists) await this.#tidy(survey, signal)
    return batches.map((batch) =>
      batch.orders.map((order) =>
        holds(order) ? enforced(order, refused) : { lease: order.lease, ok: false, error: full },
      ),
    )
  }

  #refusedBy({ own, earlier }: Survey): Refused {
    const others = earlier.map(({ refused, tags }) => ({ names: new Set(refused), tags }))
    return together([this.#versions.standing(own), ...others])
  }

  /** Where many end at once one statement refuses them all, and their own entries go. */
  #listTogether({ orders, stillRefused, use }: RevokeBatch, survey: Survey): void {
    const { upstream } = this.#context
    if (use === undefined || survey.shared || upstream.now() === undefined) return
    const all = [...orders, ...stillRefused]
    for (const denial of tagDenialsFor(all, { use, skew: upstream.skew() })) {
      this.#refusals.listByTags(denial, all, survey)
    }
  }

  /** What else the role holds; names in earlier documents that are new to us are taken over. */
  async #look(signal: AbortSignal): Promise<Survey> {
    const { clock, installation, role, writer, log } = this.#context
    const { epoch } = writer
    const known = this.#survey
    if (known && clock.now() - known.at < SURVEY_MS) return known
    const policies = await this.#policies.all(signal).catch(noneIfRoleGone)
    if (policies === undefined) return EMPTY_SURVEY
    this.#shard ??= writer.shardFor(role)
    const survey = surveyOf(policies, {
      installation,
      writer: { epoch, shard: this.#shard },
      isWritten: (by) => writer.isWritten(role, by),
    })
    if (survey.outdated)
      log.warn({ epoch }, 'a later epoch writes this role: this broker is outdated')
    this.#noticeChange(policies)
    // What we have written ourselves is known.
    const { own, ...others } = survey
    await this.#adoption.adopt(this.#versions.last === undefined ? survey : others, signal)
    this.#survey = { ...survey, at: clock.now() }
    return survey
  }

  /** Our document is written whole each time: what somebody did to it is undone by the next write. */
  #noticeChange(policies: readonly InlinePolicy[]): void {
    const { log } = this.#context
    if (this.#versions.last === undefined) return
    const policy = this.#documentName()
    const text = policies.find(({ name }) => name === policy)?.text
    if (this.#versions.mayBe(text)) return
    this.#versions.touched()
    const what = text === undefined ? 'deleted' : 'edited'
    log.warn({ policy, what }, 'somebody changed a deny document; it is written again')
  }

  /** Writes the document as far as there is room for it; false: the role does not exist. */
  async #put(survey: Survey, signal: AbortSignal): Promise<boolean> {
    const { clock, looksAgain } = this.#context
    const copies = clock.monotonic() >= this.#copiesFrom
    const stands = this.#versions.standing(survey.own)
    const document = this.#refusals.document(survey, { stands, copies })
    if (document === undefined || refusesNothing(document)) {
      const text = this.#unseen.inDoubt
      return text === undefined || (await this.#send(text, signal)) !== 'gone'
    }
    const text = documentText(document)
    if (looksAgain && text === this.#versions.last?.text) {
      const found = await this.#policies.read(this.#documentName(), signal)
      if (found?.text === text) return true
      this.#noticeChange(found ? [found] : [])
    }
    const sent = await this.#send(text, signal)
    if (sent === 'written') this.#versions.accepted(document, text, clock.monotonic())
    return sent !== 'gone'
  }

  /** `full`: other policies have grown; what was written before stands. `gone`: there is no such role. */
  async #send(text: string, signal: AbortSignal): Promise<'written' | 'full' | 'gone'> {
    const name = this.#documentName()
    try {
      this.#versions.offered(text)
      this.#unseen.offered(text)
      await this.#policies.put({ name, text }, signal)
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      if (error.upstreamCode === 'NoSuchEntity') {
        this.#unseen.roleIsGone()
        return 'gone'
      }
      this.#survey = undefined
      if (error.upstreamCode === 'LimitExceeded') return 'full'
      if (error.outcome === 'unknown') this.#leaveShard()
      throw error
    }
    await this.#unseen.accepted({ name, text }, signal)
    return 'written'
  }

  /** From now on another document is ours, since a write under way may still land, or none is. */
  #leaveShard(): void {
    const { role, writer } = this.#context
    if (this.#shard !== undefined) writer.leave(role, this.#shard)
    this.#shard = undefined
    this.#survey = undefined
    this.#unseen.leave()
    this.#versions.forget()
    // What refuses it from now on may be that write, and not ours.
    this.#refusals.canary = undefined
  }

  #documentName(): string {
    const { installation, role, writer } = this.#context
    this.#shard ??= writer.shardFor(role)
    return documentName(installation, { epoch: writer.epoch, shard: this.#shard })
  }

  /** Removes other documents once ours has held all their entries long enough, or all are dead. */
  async #tidy(survey: Survey, signal: AbortSignal): Promise<void> {
    const { clock, role, writer, log } = this.#context
    const settled = this.#versions.heldSince(clock.monotonic() - SETTLE_MS)
    const facts = {
      earlier: survey.earlier,
      refusals: this.#refusals,
      settled,
      retire: (by: DocumentWriter) => writer.retire(role, by),
      log,
    }
    if (await deleteNeedless(this.#policies, facts, signal)) this.#survey = undefined
  }
}

function noneIfRoleGone(error: unknown): undefined {
  if (error instanceof UpstreamError && error.upstreamCode === 'NoSuchEntity') return undefined
  throw error
}
