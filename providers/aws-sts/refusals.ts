import type { EndOrder } from '../../src/provider.ts'
import { documentText, namesIn, ROLE_INLINE_CHARACTERS } from './deny-documents.ts'
import { NOTHING, type Refused } from './refused.ts'
import { charactersBeside, type Survey } from './role-survey.ts'
import { keyOfTags, refusesByTags, type TagDenial, tagDenialsIn } from './tag-denials.ts'

/** An entry outlives what it refuses by this much: clocks differ, and a removal revives. */
const MARGIN_MS = 5 * 60_000

/** How long what is found may live. */
export interface Lives {
  /** The instant by the later of the clocks. */
  readonly now: number
  /** The instant by every clock. */
  readonly surely: number
  /** What nobody knows lives as long as any session of the role could. */
  readonly sessionMs: number
  readonly latestExpiry: (name: string) => number | undefined
}

/** What our document is to hold. */
export interface DenyDocument {
  readonly names: readonly string[]
  readonly tags: readonly TagDenial[]
  readonly canary?: string
}

export function refusesNothing({ names, tags, canary }: DenyDocument): boolean {
  return names.length === 0 && tags.length === 0 && canary === undefined
}

/**
 * What one role's sessions must stay refused for, and until when: leases by name, many by their
 * tags. What an earlier document holds is taken over; nothing leaves before it is known dead.
 */
export class Refusals {
  /** Upstream name → the instant after which its entry is surely not needed. */
  readonly #names = new Map<string, number>()
  readonly #tags = new Map<string, TagDenial>()
  /** Names found in other documents and taken over; those not in `#names` are dead, or under tags. */
  readonly #adopted = new Set<string>()
  /** Names that have no entry because a statement by tags refuses them, and its key. */
  readonly #underTags = new Map<string, string>()
  /** Listed beside the leases where there is room for it: none of them ever lacks a place by it. */
  canary: string | undefined

  get size(): number {
    return this.#names.size + this.#tags.size
  }

  list(order: EndOrder): void {
    if (this.#byTags(order) === undefined)
      this.#keep(order.upstreamName, order.latestPossibleExpiry + MARGIN_MS)
  }

  /** Adds an entry where the document still fits with it; true: it is new. */
  listIfRoom(order: EndOrder, survey: Survey): boolean {
    const known = this.#names.has(order.upstreamName) || this.#byTags(order) !== undefined
    this.list(order)
    if (known || this.document(survey) !== undefined) return !known
    this.#names.delete(order.upstreamName)
    return false
  }

  forget({ upstreamName }: EndOrder): void {
    this.#names.delete(upstreamName)
  }

  /**
   * Refuses many by their tags, where there is room for that; the entries of those it reaches are
   * not needed any more. It stays as long as any of `orders` that it reaches may live.
   */
  listByTags(denial: TagDenial, orders: readonly EndOrder[], survey: Survey): void {
    const key = keyOfTags(denial.tags)
    const [before, names] = [this.#tags.get(key), new Map(this.#names)]
    this.#keepTags({ ...denial, until: denial.until + MARGIN_MS })
    for (const order of orders) {
      const under = this.#byTags(order)
      if (under !== undefined && this.#names.delete(order.upstreamName))
        this.#underTags.set(order.upstreamName, under)
    }
    if (this.document(survey) !== undefined) return
    if (before) this.#tags.set(key, before)
    else this.#tags.delete(key)
    for (const [name, until] of names) this.#names.set(name, until)
  }

  /** What other documents hold and nobody told us of. Returns how many entries that are. */
  adopt({ own, earlier }: Survey, lives: Lives): number {
    const { sessionMs, now, surely, latestExpiry } = lives
    let found = 0
    for (const { names, tags } of own ? [own, ...earlier] : earlier) {
      for (const name of names) {
        if (this.#adopted.has(name)) continue
        this.#adopted.add(name)
        this.#keep(name, (latestExpiry(name) ?? now + sessionMs) + MARGIN_MS)
        found += 1
      }
      for (const one of tags) {
        // None of ours says anything of sessions that are still to be issued.
        const before = Math.min(one.before, Math.ceil(now / 1_000) * 1_000)
        if ((this.#tags.get(keyOfTags(one.tags))?.before ?? 0) >= before) continue
        const until = before + sessionMs + MARGIN_MS
        if (until <= surely) continue
        this.#keepTags({ ...one, before, until })
        found += 1
      }
    }
    return found
  }

  /** By every clock there is. */
  forgetDead(surely: number): void {
    for (const [name, until] of this.#names) if (until <= surely) this.#names.delete(name)
    for (const [key, { until }] of this.#tags) if (until <= surely) this.#tags.delete(key)
  }

  /**
   * What our document must hold: what no other one does; and, as far as there is room, whatever of
   * it `stands` in it already, because a write of another one that arrives late may drop what both
   * hold. Where `copies` are wanted, also what others hold, the smallest first, so that those can go,
   * but none of that takes from the half that is kept for kills. Undefined: it does not fit.
   */
  document(
    survey: Survey,
    { stands = NOTHING, copies = false }: { stands?: Refused; copies?: boolean } = {},
  ): DenyDocument | undefined {
    const room = ROLE_INLINE_CHARACTERS - charactersBeside(survey)
    const standing = this.#needed(survey, stands)
    const most = copies ? this.#withCopies(standing, survey) : standing
    const least = this.#needed(survey, besideGone(survey, stands))
    return this.#fitting(most, room) ?? this.#fitting(least, room)
  }

  #needed({ earlier }: Survey, stands: Refused): DenyDocument {
    const elsewhere = new Set(earlier.flatMap(({ refused }) => refused))
    const names = [...this.#names.keys()]
    const tags = [...this.#tags.values()]
    return {
      names: names.filter((name) => !elsewhere.has(name) || stands.names.has(name)),
      tags: tags.filter((one) => !earlier.some((by) => saysAll(by, one)) || saysAll(stands, one)),
    }
  }

  #withCopies(needed: DenyDocument, { earlier, ...survey }: Survey): DenyDocument {
    const room = ROLE_INLINE_CHARACTERS / 2 - charactersBeside({ earlier, ...survey })
    const smallestFirst = earlier
      .filter(({ isWritten }) => !isWritten)
      .toSorted((a, b) => a.characters - b.characters)
    return smallestFirst.reduce((most, { names, tags }) => {
      const kept = names.filter((name) => this.#names.has(name))
      const alike = tags.flatMap((one) => this.#tags.get(keyOfTags(one.tags)) ?? [])
      const more = {
        names: [...new Set([...most.names, ...kept])],
        tags: [...new Set([...most.tags, ...alike])],
      }
      return documentText(more).length <= room ? more : most
    }, needed)
  }

  /** With the canary, or else without; undefined: not even so. */
  #fitting(refused: DenyDocument, room: number): DenyDocument | undefined {
    const { canary } = this
    const both = [...(canary === undefined ? [] : [{ ...refused, canary }]), refused]
    return both.find((one) => documentText(one).length <= room)
  }

  /** Whether a document of another writer refuses only what is dead or in `settled`, too. */
  makesNeedless(text: string, settled: Refused): boolean {
    const refusesTags = (key: string, before: number) =>
      settled.tags.some((one) => keyOfTags(one.tags) === key && one.before >= before)
    const names = namesIn(text).every((name) => {
      if (!this.#adopted.has(name)) return false
      if (this.#names.has(name)) return settled.names.has(name)
      const tags = this.#tags.get(this.#underTags.get(name) ?? '')
      return tags === undefined || refusesTags(keyOfTags(tags.tags), tags.before)
    })
    return (
      names &&
      tagDenialsIn(text).every((one) => {
        const key = keyOfTags(one.tags)
        const kept = this.#tags.get(key)
        if (!kept || kept.before < one.before) return kept === undefined
        return refusesTags(key, one.before)
      })
    )
  }

  /** The key of tags that refuse it, if any do; they stay until it is dead. */
  #byTags(order: EndOrder): string | undefined {
    const denial = [...this.#tags.values()].find((one) => refusesByTags(one, order))
    if (!denial) return undefined
    this.#keepTags({ ...denial, until: order.latestPossibleExpiry + MARGIN_MS })
    return keyOfTags(denial.tags)
  }

  #keep(name: string, until: number): void {
    this.#names.set(name, Math.max(until, this.#names.get(name) ?? 0))
  }

  #keepTags(denial: TagDenial): void {
    const key = keyOfTags(denial.tags)
    const known = this.#tags.get(key)
    const before = Math.max(denial.before, known?.before ?? 0)
    const until = Math.max(denial.until, known?.until ?? 0)
    this.#tags.set(key, { tags: denial.tags, before, until })
  }
}

/**
 * What stands in ours and in no document that stays as it is. One that is written in this process may
 * drop what ours holds, too: if each left it to the other, neither would hold it.
 */
function besideGone({ earlier }: Survey, stands: Refused): Refused {
  const gone = earlier.filter(({ isWritten }) => !isWritten)
  const elsewhere = new Set(gone.flatMap(({ refused }) => refused))
  return {
    names: new Set([...stands.names].filter((name) => !elsewhere.has(name))),
    tags: stands.tags.filter((one) => !gone.some((by) => saysAll(by, one))),
  }
}

/** Whether a document refuses all that these tags do. */
function saysAll({ tags }: Pick<Refused, 'tags'>, denial: Omit<TagDenial, 'until'>): boolean {
  const key = keyOfTags(denial.tags)
  return tags.some((one) => keyOfTags(one.tags) === key && one.before >= denial.before)
}
