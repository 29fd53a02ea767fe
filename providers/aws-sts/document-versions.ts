import type { Clock } from '../../src/clock.ts'
import type { DenyDocument, Refused } from './refusals.ts'

/** What our document holds since IAM accepted it. */
export interface DocumentVersion extends Refused {
  readonly text: string
  readonly canary: string | undefined
}

/** The versions of a role's deny document that matter later: the last, and the first with its canary. */
export class DocumentVersions {
  readonly #clock: Clock
  /** Ends are asked for again until they are proved: so long the same is not written twice. */
  readonly #rewriteMs: number
  #last: DocumentVersion | undefined
  #lastAt = 0
  #firstWithCanary: DocumentVersion | undefined

  constructor(clock: Clock, rewriteMs: number) {
    this.#clock = clock
    this.#rewriteMs = rewriteMs
  }

  /** Undefined: nothing was written, or it is not known what of it stands. */
  get last(): DocumentVersion | undefined {
    return this.#last
  }

  accepted({ names, tags, canary }: DenyDocument, text: string): void {
    this.#last = { names: new Set(names), tags, canary, text }
    this.#lastAt = this.#clock.monotonic()
    if (canary !== this.#firstWithCanary?.canary) this.#firstWithCanary = this.#last
  }

  /** Whether just this was written so recently that it need not be written again. */
  isFresh(text: string): boolean {
    const { monotonic } = this.#clock
    return this.#last?.text === text && monotonic() - this.#lastAt < this.#rewriteMs
  }

  firstWith(canary: string): DocumentVersion | undefined {
    return this.#firstWithCanary?.canary === canary ? this.#firstWithCanary : undefined
  }

  /** It may not be there: what comes next is written even if it says the same. */
  doubt(): void {
    this.#lastAt = Number.NEGATIVE_INFINITY
  }

  forget(): void {
    this.#last = undefined
  }
}
