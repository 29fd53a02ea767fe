import type { Clock } from '../../src/clock.ts'
import type { DocumentWriter, UpstreamWriter } from '../../src/model/upstream-writer.ts'
import type { ProviderLog } from '../../src/provider.ts'
import { UpstreamError } from '../../src/provider.ts'
import { documentName } from './deny-documents.ts'
import { type DocumentVersion, DocumentVersions } from './document-versions.ts'
import type { DenyDocument } from './refusals.ts'
import type { Refused } from './refused.ts'
import type { InlinePolicy, RolePolicies } from './role-policies.ts'
import type { EarlierDocument } from './role-survey.ts'
import { UnseenWrite } from './unseen-write.ts'

interface OwnRole {
  readonly installation: string
  readonly role: string
  readonly writer: UpstreamWriter
  readonly clock: Clock
  readonly log: ProviderLog
}

/**
 * The document of one role that is ours to write: which it is, what it holds, what somebody else did
 * to it, and whether IAM shows what it accepted. A late write must not undo a newer one: once one of
 * ours may still land, another document is ours.
 */
export class OwnDocument {
  readonly #role: OwnRole
  readonly #policies: RolePolicies
  readonly #versions = new DocumentVersions()
  readonly #unseen: UnseenWrite
  /** Undefined until the role was looked at, and after a write of unknown outcome. */
  #shard: number | undefined

  constructor(role: OwnRole, policies: RolePolicies) {
    this.#role = role
    this.#policies = policies
    this.#unseen = new UnseenWrite(role.clock, policies)
  }

  /** By which it is told from those of other processes. */
  get writer(): DocumentWriter {
    const { role, writer } = this.#role
    this.#shard ??= writer.shardFor(role)
    return { epoch: writer.epoch, shard: this.#shard }
  }

  /** Whether there is one now. */
  get isTaken(): boolean {
    return this.#shard !== undefined
  }

  /** What it held last; undefined: nothing was written, or it is not known what of it stands. */
  get last(): DocumentVersion | undefined {
    return this.#versions.last
  }

  /** Why nothing written there can be relied on; undefined: it can. */
  get doubt(): string | undefined {
    return this.#unseen.doubt
  }

  /** What was written last, if that is in doubt. */
  get inDoubt(): string | undefined {
    return this.#unseen.inDoubt
  }

  /** What it holds: what was `found` in it counts until we have written it. */
  standing(found: EarlierDocument | undefined): Refused {
    return this.#versions.standing(found)
  }

  /** What it has held without a break for so long, however often it was written meanwhile. */
  heldFor(ms: number): Refused {
    return this.#versions.heldSince(this.#role.clock.monotonic() - ms)
  }

  firstWith(canary: string): DocumentVersion | undefined {
    return this.#versions.firstWith(canary)
  }

  /** Whether IAM holds it, and nobody touched it since its canary was listed. */
  async stands(signal: AbortSignal): Promise<boolean> {
    const before = this.#versions.untouched()
    const found = await this.read(signal)
    // One of ours may be on its way while it is read.
    const after = this.#versions.untouched()
    return found !== undefined && after.length > 0 && [...before, ...after].includes(found.text)
  }

  read(signal: AbortSignal): Promise<InlinePolicy | undefined> {
    return this.#policies.read(this.#name, signal)
  }

  /** Reads it if IAM has accepted what it has not shown yet. */
  lookForUnseen(signal: AbortSignal): Promise<void> {
    return this.#unseen.look(signal)
  }

  /** It is written whole each time: what somebody did to it is undone by the next write. */
  notice(policies: readonly InlinePolicy[]): void {
    if (this.#versions.last === undefined) return
    const policy = this.#name
    const text = policies.find(({ name }) => name === policy)?.text
    if (this.#versions.mayBe(text)) return
    this.#versions.touched()
    const what = text === undefined ? 'deleted' : 'edited'
    this.#role.log.warn({ policy, what }, 'somebody changed a deny document; it is written again')
  }

  /**
   * Writes it whole; `undefined` for what it refuses: the same as before. `full`: other policies have
   * grown, and what was written before stands. `gone`: there is no such role.
   */
  async put(
    text: string,
    document: DenyDocument | undefined,
    signal: AbortSignal,
  ): Promise<'written' | 'full' | 'gone'> {
    const name = this.#name
    try {
      this.#versions.offered(text)
      this.#unseen.offered(text)
      await this.#policies.put({ name, text }, signal)
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      if (error.upstreamCode === 'LimitExceeded') return 'full'
      if (error.upstreamCode === 'NoSuchEntity') {
        this.#unseen.roleIsGone()
        return 'gone'
      }
      if (error.outcome === 'unknown') this.leave()
      throw error
    }
    await this.#unseen.accepted({ name, text }, signal)
    if (document !== undefined)
      this.#versions.accepted(document, text, this.#role.clock.monotonic())
    return 'written'
  }

  /** What of it stands is not known any more. */
  forget(): void {
    this.#versions.forget()
  }

  /** From now on another document is ours, since a write under way may still land, or none is. */
  leave(): void {
    const { role, writer } = this.#role
    if (this.#shard !== undefined) writer.leave(role, this.#shard)
    this.#shard = undefined
    this.#unseen.leave()
    this.#versions.forget()
  }

  get #name(): string {
    return documentName(this.#role.installation, this.writer)
  }
}
