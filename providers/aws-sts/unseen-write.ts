import { createHash } from 'node:crypto'
import type { Clock } from '../../src/clock.ts'
import { UpstreamError } from '../../src/provider.ts'
import type { InlinePolicy, RolePolicies } from './role-policies.ts'

/** IAM may answer a read as of before a write for a while; what it does not show then is not there. */
const UNSEEN_MS = 45_000

/** More are only accepted while nobody can read what is there. */
const MOST_UNSEEN = 1_000

const NOT_WRITTEN = 'IAM accepted the deny document of the role, but does not hold it'

interface Accepted {
  readonly hash: string
  /** On the monotonic tick. */
  readonly at: number
}

/**
 * What IAM accepted of one role's deny document and has not shown yet. One stale read says nothing;
 * once an accepted write is not to be seen for that long it is in doubt that anything is written, and
 * each later write has to be seen before it counts, until one is.
 */
export class UnseenWrite {
  readonly #clock: Clock
  readonly #policies: RolePolicies
  /** In the order in which they were accepted: whoever shows a later one has had the earlier ones. */
  #unseen: readonly Accepted[] = []
  #last: InlinePolicy | undefined
  /** It is on its way to IAM. */
  #offered: string | undefined
  #doubted = false

  constructor(clock: Clock, policies: RolePolicies) {
    this.#clock = clock
    this.#policies = policies
  }

  /** Why nothing written there can be relied on; undefined: it can. */
  get doubt(): string | undefined {
    return this.#doubted ? NOT_WRITTEN : undefined
  }

  /**
   * What was written last, if that is in doubt: to be written once more where nothing else has to be.
   * What it refuses is dead by then.
   */
  get inDoubt(): string | undefined {
    return this.#doubted ? this.#last?.text : undefined
  }

  offered(text: string): void {
    this.#offered = hashOf(text)
  }

  /** IAM said yes. While that is in doubt it is looked at: `unknown` if it does not show it. */
  async accepted(policy: InlinePolicy, signal: AbortSignal): Promise<void> {
    const hash = hashOf(policy.text)
    this.#last = policy
    this.#unseen = [...this.#unseen, { hash, at: this.#clock.monotonic() }].slice(-MOST_UNSEEN)
    if (!this.#doubted) return
    await this.#read(policy.name, signal)
    if (this.#doubted) throw new UpstreamError('unknown', NOT_WRITTEN)
  }

  /** Reads it if there is something to see; throws where IAM shows nothing at all. */
  async look(signal: AbortSignal): Promise<void> {
    const [oldest] = this.#unseen
    if (this.#last === undefined || oldest === undefined) return
    await this.#read(this.#last.name, signal)
    const unseen = this.#unseen.includes(oldest)
    if (unseen && this.#clock.monotonic() - oldest.at >= UNSEEN_MS) this.#doubted = true
  }

  /** There is no such role any more, so nothing of it could work. */
  roleIsGone(): void {
    this.leave()
    this.#last = undefined
    this.#doubted = false
  }

  /** Another document is ours from now on. */
  leave(): void {
    this.#unseen = []
    this.#offered = undefined
  }

  async #read(name: string, signal: AbortSignal): Promise<void> {
    const found = await this.#policies.read(name, signal)
    if (found === undefined) return
    const hash = hashOf(found.text)
    const at = this.#unseen.findLastIndex((one) => one.hash === hash)
    if (at === -1 && hash !== this.#offered) return
    this.#unseen = at === -1 ? [] : this.#unseen.slice(at + 1)
    this.#doubted = false
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}
