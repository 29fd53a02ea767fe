import { GENESIS, type HashedEvent, hashEvent } from './chain.ts'

/** An event as exported or sent by the API. */
export interface ChainedEvent extends HashedEvent {
  readonly prev: string
  readonly hash: string
  readonly unreadable?: true | undefined
}

/** One line of an anchor: the head of the chain as it was, kept where the host cannot rewrite it. */
export interface AnchorLine {
  readonly seq: number
  readonly hash: string
  readonly at: string
}

export interface ChainReport {
  readonly ok: boolean
  readonly events: number
  readonly head: string
  readonly problems: readonly string[]
  /** How many anchored heads were found in the chain; undefined when no anchor was given. */
  readonly anchored?: number
  /** What this check can and cannot show, in one sentence for the reader. */
  readonly meaning: string
}

/**
 * Recomputes a chain event by event, in order, in constant memory. Without an anchor it finds
 * accidents; with one it also finds a rewritten history, because the old heads no longer occur.
 */
export class ChainVerifier {
  #prev = GENESIS
  #seq = 0
  readonly #problems: string[] = []
  /** The hashes an anchor holds for each number: several, if a forger has anchored again. */
  readonly #awaited: Map<number, Set<string>> | undefined
  #anchored = 0

  constructor(anchor?: readonly AnchorLine[]) {
    if (!anchor) return
    this.#awaited = new Map()
    for (const { seq, hash } of anchor) {
      this.#awaited.set(seq, (this.#awaited.get(seq) ?? new Set<string>()).add(hash))
    }
  }

  /** Takes the next event; returns what is wrong with it, if anything. */
  add(event: ChainedEvent): string | undefined {
    const problem = this.#problemOf(event)
    if (problem) this.#problems.push(problem)
    const awaited = this.#awaited?.get(event.seq)
    if (awaited) {
      this.#awaited?.delete(event.seq)
      if (awaited.delete(event.hash)) this.#anchored += 1
      if (awaited.size > 0) {
        this.#problems.push(`event ${event.seq}: the anchor holds another hash for it`)
      }
    }
    this.#prev = event.hash
    this.#seq = event.seq
    return problem
  }

  result(): ChainReport {
    const missing = [...(this.#awaited?.keys() ?? [])].map(
      (seq) => `event ${seq}: anchored, but not in the chain`,
    )
    const problems = [...this.#problems, ...missing]
    return {
      ok: problems.length === 0,
      events: this.#seq,
      head: this.#prev,
      problems,
      ...(this.#awaited === undefined ? {} : { anchored: this.#anchored }),
      meaning:
        this.#awaited === undefined
          ? 'checked the chain alone: accidents are found, a rewritten history is not'
          : 'checked against the anchor: a history rewritten before the last anchor is found too',
    }
  }

  #problemOf(event: ChainedEvent): string | undefined {
    if (event.seq !== this.#seq + 1) return `event ${event.seq}: expected number ${this.#seq + 1}`
    if (event.unreadable) return `event ${event.seq}: cannot be read`
    if (event.prev !== this.#prev) return `event ${event.seq}: does not follow the one before it`
    if (event.hash !== recomputed(event)) return `event ${event.seq}: was changed`
    return undefined
  }
}

/** Undefined for what no event of ours can be: a part is missing or is not JSON. */
function recomputed(event: ChainedEvent): string | undefined {
  try {
    return hashEvent(event.prev, event)
  } catch {
    return undefined
  }
}

/** Reads anchor lines; a line that is not one is a problem, because an anchor is append-only. */
export function parseAnchor(text: string): AnchorLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => {
      const value = anchorLineOf(line)
      if (!value) throw new Error(`anchor line ${index + 1} is not {seq, hash, at}`)
      return value
    })
}

function anchorLineOf(line: string): AnchorLine | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isAnchorLine(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isAnchorLine(value: unknown): value is AnchorLine {
  if (typeof value !== 'object' || value === null) return false
  const { seq, hash, at } = value as Record<string, unknown> // checked field by field below
  return typeof seq === 'number' && typeof hash === 'string' && typeof at === 'string'
}
