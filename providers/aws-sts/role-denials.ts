import type { Clock } from '../../src/clock.ts'
import type { DocumentWriter, UpstreamWriter } from '../../src/model/upstream-writer.ts'
import type { EndOrder, EndOutcome, ProviderLog, RevokeBatch } from '../../src/provider.ts'
import { UpstreamError } from '../../src/provider.ts'
import { Adoption, surely } from './adoption.ts'
import { documentText, documentWriter } from './deny-documents.ts'
import { asFarAsKnown, enforced } from './end-outcome.ts'
import { deleteNeedless } from './needless-documents.ts'
import { OwnDocument } from './own-document.ts'
import { type DenyDocument, Refusals, refusesNothing } from './refusals.ts'
import { type Refused, refuses, together } from './refused.ts'
import { type InlinePolicy, isOfAccount, type RolePolicies } from './role-policies.ts'
import { EMPTY_SURVEY, fullMessage, type Survey, surveyOf } from './role-survey.ts'
import { SharedWrites } from './shared-writes.ts'
import { tagDenialsFor } from './tag-denials.ts'
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
  readonly #own: OwnDocument
  #survey: (Survey & { readonly at: number }) | undefined
  readonly #adoption: Adoption
  readonly #copiesFrom: number
  #closed = false

  constructor(context: DenialContext, policies: RolePolicies) {
    this.#context = context
    this.#policies = policies
    this.#own = new OwnDocument(context, policies)
    this.#adoption = new Adoption(context, { policies, refusals: this.#refusals })
    this.#copiesFrom = context.clock.monotonic() + COPIES_AFTER_MS
    this.#writes = new SharedWrites(context.clock, (batches, signal) =>
      this.#write(batches, signal).finally(() => this.#closed && this.#leave()),
    )
  }

  /** Others may take over what it wrote, once what is under way is over. */
  close(): void {
    this.#closed = true
    if (!this.#writes.busy) this.#leave()
  }

  /** Lists the orders in the role's document; each has its own outcome. */
  refuse(batch: RevokeBatch): Promise<readonly EndOutcome[]> {
    return this.#writes.add(asFarAsKnown(batch))
  }

  /** Lists it instead of an earlier one; the version that first held it, unless there is no room. */
  async listCanary(name: string, signal: AbortSignal): Promise<Refused | undefined> {
    this.#refusals.canary = name
    await this.#writes.add({ group: null, orders: [], stillRefused: [], signal })
    return this.#own.firstWith(name)
  }

  /** Whether IAM holds our document, and nobody touched it since its canary was listed. */
  stands(signal: AbortSignal): Promise<boolean> {
    return this.#own.stands(signal)
  }

  /** Why the ends that IAM accepted here are in doubt, looked at now; undefined: they are not. */
  async doubt(signal: AbortSignal): Promise<string | undefined> {
    try {
      if (this.#own.doubt === undefined) await this.#own.lookForUnseen(signal)
      else await this.#writes.add({ group: null, orders: [], stillRefused: [], signal })
    } catch (error) {
      // A look or a write that failed has shown nothing.
      if (!(error instanceof UpstreamError)) throw error
    }
    if (this.#own.doubt !== undefined) {
      // What stands is read anew: nothing of it is what we were told.
      this.#own.forget()
      this.#survey = undefined
    }
    return this.#own.doubt
  }

  /** The role's documents of this installation, read now. */
  async documents(signal: AbortSignal): Promise<readonly InlinePolicy[]> {
    const { installation } = this.#context
    const before = this.#own.last
    const policies = await this.#policies.all(signal)
    // What was written meanwhile may not be among them.
    if (before === this.#own.last) this.#own.notice(policies)
    return policies.filter(({ name }) => documentWriter(installation, name) !== undefined)
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
    return together([this.#own.standing(own), ...others])
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
    const known = this.#survey
    if (known && clock.now() - known.at < SURVEY_MS) return known
    const policies = await this.#policies.all(signal).catch(noneIfRoleGone)
    if (policies === undefined) return EMPTY_SURVEY
    const { writer: by } = this.#own
    const survey = surveyOf(policies, {
      installation,
      writer: by,
      isWritten: (other) => writer.isWritten(role, other),
    })
    if (survey.outdated)
      log.warn({ epoch: by.epoch }, 'a later epoch writes this role: this broker is outdated')
    this.#own.notice(policies)
    // What we have written ourselves is known.
    const { own, ...others } = survey
    await this.#adoption.adopt(this.#own.last === undefined ? survey : others, signal)
    this.#survey = { ...survey, at: clock.now() }
    return survey
  }

  /** Writes the document as far as there is room for it; false: the role does not exist. */
  async #put(survey: Survey, signal: AbortSignal): Promise<boolean> {
    const { clock, looksAgain } = this.#context
    const copies = clock.monotonic() >= this.#copiesFrom
    const stands = this.#own.standing(survey.own)
    const document = this.#refusals.document(survey, { stands, copies })
    if (document === undefined || refusesNothing(document)) {
      const text = this.#own.inDoubt
      return text === undefined || (await this.#send(text, undefined, signal))
    }
    const text = documentText(document)
    if (looksAgain && text === this.#own.last?.text) {
      const found = await this.#own.read(signal)
      if (found?.text === text) return true
      this.#own.notice(found ? [found] : [])
    }
    return await this.#send(text, document, signal)
  }

  /** False: the role does not exist. */
  async #send(
    text: string,
    document: DenyDocument | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const sent = await this.#own.put(text, document, signal).catch((error) => {
      if (this.#own.isTaken) this.#survey = undefined
      else this.#leave()
      throw error
    })
    if (sent === 'full') this.#survey = undefined
    return sent !== 'gone'
  }

  /** Another document is ours from now on, or none. */
  #leave(): void {
    this.#own.leave()
    this.#survey = undefined
    // What refuses it from now on may be a write that lands late, and not ours.
    this.#refusals.canary = undefined
  }

  /** Removes other documents once ours has held all their entries long enough, or all are dead. */
  async #tidy(survey: Survey, signal: AbortSignal): Promise<void> {
    const { role, writer, log } = this.#context
    const settled = this.#own.heldFor(SETTLE_MS)
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
