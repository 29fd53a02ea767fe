import type { DenyDocument } from './refusals.ts'
import type { Refused } from './refused.ts'
import type { EarlierDocument } from './role-survey.ts'
import { keyOfTags, type TagDenial } from './tag-denials.ts'

/** What our document holds since IAM accepted it. */
export interface DocumentVersion extends Refused {
  readonly text: string
  readonly canary: string | undefined
}

interface Held<What> {
  readonly what: What
  /** On the monotonic tick. */
  readonly since: number
}

/**
 * The versions of a role's deny document that matter later: the last, the first with its canary, and
 * since when each entry has been in every one of them.
 */
export class DocumentVersions {
  #offered: string | undefined
  #last: DocumentVersion | undefined
  #firstWithCanary: DocumentVersion | undefined
  #touched = false
  #names = new Map<string, number>()
  #tags = new Map<string, Held<TagDenial>>()

  /** Undefined: nothing was written, or it is not known what of it stands. */
  get last(): DocumentVersion | undefined {
    return this.#last
  }

  /** What the document holds: what was `found` in it counts until we have written it. */
  standing(found: EarlierDocument | undefined): Refused {
    return this.#last ?? { names: new Set(found?.refused), tags: found?.tags ?? [] }
  }

  /** It is on its way to IAM. */
  offered(text: string): void {
    this.#offered = text
  }

  accepted({ names, tags, canary }: DenyDocument, text: string, at: number): void {
    this.#last = { names: new Set(names), tags, canary, text }
    this.#names = new Map(names.map((name) => [name, this.#names.get(name) ?? at]))
    this.#tags = new Map(tags.map((what) => this.#heldTags(what, at)))
    if (canary === this.#firstWithCanary?.canary) return
    this.#firstWithCanary = this.#last
    this.#touched = false
  }

  /** What it has held without a break since `instant`, however often it was written meanwhile. */
  heldSince(instant: number): Refused {
    const names = [...this.#names].filter(([, since]) => since <= instant)
    const tags = [...this.#tags.values()].filter(({ since }) => since <= instant)
    return {
      names: new Set(names.map(([name]) => name)),
      tags: tags.map(({ what }) => what),
    }
  }

  firstWith(canary: string): DocumentVersion | undefined {
    return this.#firstWithCanary?.canary === canary ? this.#firstWithCanary : undefined
  }

  /** Whether we wrote that last, or are just writing it. */
  mayBe(text: string | undefined): boolean {
    return text !== undefined && (text === this.#last?.text || text === this.#offered)
  }

  /** Somebody else changed it: whatever it held, it did not hold without a break. */
  touched(): void {
    this.#touched = true
    this.#names.clear()
    this.#tags.clear()
  }

  /** What IAM may hold now if nobody touched it since its canary was listed. */
  untouched(): readonly (string | undefined)[] {
    return this.#touched ? [] : [this.#last?.text, this.#offered]
  }

  forget(): void {
    this.#last = undefined
    this.#offered = undefined
    this.#names.clear()
    this.#tags.clear()
  }

  #heldTags(what: TagDenial, at: number): [string, Held<TagDenial>] {
    const key = keyOfTags(what.tags)
    const before = this.#tags.get(key)
    return [key, { what, since: before && before.what.before >= what.before ? before.since : at }]
  }
}
