import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { type Read, type ReadFacts, readerOf } from './facts.ts'
import { type Need, type Needs, needsOf } from './needs.ts'
import { wordsOf } from './prune.ts'
import type { CedarRequest } from './request.ts'

/** One policy of a set. */
export interface Policy {
  readonly id: string
  /** The file it came from. */
  readonly file: string
  readonly text: string
  readonly json: PolicyJson
}

/** Those policies of a set that may apply to a request; the others surely neither apply nor err. */
export interface Slice {
  /** Tells the slices of one set apart, and of equal sets not. */
  readonly id: string
  readonly policies: readonly Policy[]
  /** Every word they use; see `prune`. */
  readonly words: ReadonlySet<string>
}

/** Finds the slice for a request, in time that hardly grows with the number of policies. */
export type Slicer = (request: CedarRequest) => Slice

/** So few policies for an action cost less together than telling them apart. */
const WHOLE_UP_TO = 24
/** Slices kept in mind per action: they hold no text of their own. */
const MAX_SLICES = 1_024

/**
 * Sorts a set's policies once: by action and types, then each by the rarest thing it needs
 * (`resource == Entitlement::"x"`, `principal.tenant == Tenant::"y"`). A request looks up what it
 * has of those, and takes the policies found there with those that need nothing in particular.
 */
export function slicerOf(set: readonly Policy[]): Slicer {
  const policies = set.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const known = policies.map((policy) => ({
    policy,
    needs: needsOf(policy.json),
    words: wordsOf(policy.json),
  }))
  const whole = sliceOf('', known)
  const shelves = new Map<string, Shelf>()
  return (request) => {
    const facts = readerOf(request)
    const kind = [request.action.id, request.principal.type, request.resource.type].join(' ')
    const shelf = shelves.get(kind) ?? shelve(kind, known, facts)
    shelves.set(kind, shelf)
    return pick(shelf, facts) ?? whole
  }
}

interface Known {
  readonly policy: Policy
  readonly needs: Needs
  readonly words: ReadonlySet<string>
}

/** The policies for one action on one kind of thing. */
interface Shelf {
  readonly kind: string
  readonly reads: readonly Read[]
  readonly always: readonly Known[]
  readonly drawers: readonly { readonly read: Read; readonly by: ReadonlyMap<string, Known[]> }[]
  readonly slices: Map<string, Slice>
}

function shelve(kind: string, all: readonly Known[], facts: ReadFacts): Shelf {
  const fitting = all.filter(({ needs }) => needs.scope.every((need) => fits(need, facts)))
  if (fitting.length <= WHOLE_UP_TO) {
    return { kind, reads: [], always: fitting, drawers: [], slices: new Map() }
  }
  const counts = countNeeds(fitting)
  const always: Known[] = []
  const drawers = new Map<string, { read: Read; by: Map<string, Known[]> }>()
  for (const known of fitting) {
    const need = rarest(known.needs, counts)
    if (!need || commonness(need, counts) > fitting.length / 2) {
      always.push(known)
      continue
    }
    const drawer = drawers.get(keyOfRead(need.read)) ?? { read: need.read, by: new Map() }
    drawers.set(keyOfRead(need.read), drawer)
    for (const value of new Set(need.anyOf)) {
      drawer.by.set(value, [...(drawer.by.get(value) ?? []), known])
    }
  }
  const reads = new Map(fitting.flatMap(({ needs }) => needs.reads.map((r) => [keyOfRead(r), r])))
  const slices = new Map<string, Slice>()
  return { kind, reads: [...reads.values()], always, drawers: [...drawers.values()], slices }
}

/** Undefined where something a condition looks at is not there: then the engine is to say so. */
function pick(
  { kind, reads, always, drawers, slices }: Shelf,
  facts: ReadFacts,
): Slice | undefined {
  if (reads.some((read) => facts(read) === undefined)) return undefined
  const found = new Set(
    drawers.flatMap(({ read, by }) => (facts(read) ?? []).flatMap((value) => by.get(value) ?? [])),
  )
  const ids = [...found].map(({ policy }) => policy.id).toSorted()
  const id = JSON.stringify([kind, ...ids])
  const slice = slices.get(id) ?? sliceOf(id, [...always, ...found])
  if (slices.size >= MAX_SLICES) slices.clear()
  slices.set(id, slice)
  return slice
}

function sliceOf(id: string, known: readonly Known[]): Slice {
  return {
    id,
    policies: known.map(({ policy }) => policy),
    words: new Set(known.flatMap(({ words }) => [...words])),
  }
}

/** Of action and types alone, which every request on this shelf shares; the rest is looked up. */
function fits({ read, anyOf }: Need, facts: ReadFacts): boolean {
  if (read.what !== 'type' && read.path[0] !== 'action') return true
  return facts(read)?.some((value) => anyOf.includes(value)) ?? true
}

type Counts = ReadonlyMap<string, number>

function countNeeds(all: readonly Known[]): Counts {
  const counts = new Map<string, number>()
  for (const { needs } of all) {
    for (const { read, anyOf } of [...needs.scope, ...needs.conditions]) {
      for (const value of anyOf) {
        const key = `${keyOfRead(read)} ${value}`
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
    }
  }
  return counts
}

function rarest({ scope, conditions }: Needs, counts: Counts): Need | undefined {
  const ordered = [...scope, ...conditions].map((need) => ({ need, n: commonness(need, counts) }))
  return ordered.toSorted((a, b) => a.n - b.n)[0]?.need
}

function commonness({ read, anyOf }: Need, counts: Counts): number {
  return anyOf.reduce((sum, value) => sum + (counts.get(`${keyOfRead(read)} ${value}`) ?? 0), 0)
}

function keyOfRead({ what, path }: Read): string {
  return JSON.stringify([what, ...path])
}
