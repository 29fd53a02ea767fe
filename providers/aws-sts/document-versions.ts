import type { DenyDocument, Refused } from './refusals.ts'

/** What our document holds since IAM accepted it. */
export interface DocumentVersion extends Refused {
  readonly text: string
  readonly canary: string | undefined
}

/** The versions of a role's deny document that matter later: the last, and the first with its canary. */
export class DocumentVersions {
  #offered: string | undefined
  #last: DocumentVersion | undefined
  #firstWithCanary: DocumentVersion | undefined
  #touched = false

  /** Undefined: nothing was written, or it is not known what of it stands. */
  get last(): DocumentVersion | undefined {
    return this.#last
  }

  /** It is on its way to IAM. */
  offered(text: string): void {
    this.#offered = text
  }

  accepted({ names, tags, canary }: DenyDocument, text: string): void {
    this.#last = { names: new Set(names), tags, canary, text }
    if (canary === this.#firstWithCanary?.canary) return
    this.#firstWithCanary = this.#last
    this.#touched = false
  }

  firstWith(canary: string): DocumentVersion | undefined {
    return this.#firstWithCanary?.canary === canary ? this.#firstWithCanary : undefined
  }

  /** Whether we wrote that last, or are just writing it. */
  mayBe(text: string | undefined): boolean {
    return text !== undefined && (text === this.#last?.text || text === this.#offered)
  }

  /** Somebody else changed it. */
  touched(): void {
    this.#touched = true
  }

  /** What IAM may hold now if nobody touched it since its canary was listed. */
  untouched(): readonly (string | undefined)[] {
    return this.#touched ? [] : [this.#last?.text, this.#offered]
  }

  forget(): void {
    this.#last = undefined
    this.#offered = undefined
  }
}
