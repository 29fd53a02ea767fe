/**
 * Compiles intent items into one ACL policy that grants their union, exactly or not at all.
 *
 * Vault lets only the most specific stanza decide a request. So each stanza gets the actions of
 * every item whose location covers it, and whatever two stanzas could then still decide
 * differently is refused instead of being silently widened or narrowed.
 */
import type { IntentItem, Refusal } from '../../src/model/intent.ts'
import { covers, isPlain, outranks, overlaps, type PathPattern, parsePath } from './path-pattern.ts'
import { CAPABILITIES, vaultVocabulary } from './vocabulary.ts'

/** A policy document in Vault's JSON form: no quoting, no templates, no interpolation. */
export interface PolicyDocument {
  readonly path: Readonly<Record<string, PolicyStanza>>
}

export interface PolicyStanza {
  readonly capabilities: readonly string[]
  readonly allowed_parameters?: Readonly<Record<string, readonly string[]>>
  readonly required_parameters?: readonly string[]
}

/** Keeps the policy a document a person can read. */
const MAX_STANZAS = 64

interface Stanza {
  readonly location: string
  readonly pattern: PathPattern
  readonly constraints: string
  readonly parameters: Readonly<Record<string, readonly string[]>>
  readonly own: ReadonlySet<string>
  readonly actions: ReadonlySet<string>
}

export function compilePolicy(items: readonly IntentItem[]): PolicyDocument | Refusal {
  if (items.length === 0) return { refused: 'the intent is empty: there is nothing to grant' }
  for (const item of items) {
    if (item.type !== vaultVocabulary.type) return { refused: `"${item.type}" is not for vault` }
    const problem = vaultVocabulary.check(item)
    if (problem) return problem
  }
  const stanzas = gather(items)
  if ('refused' in stanzas) return stanzas
  const conflict = findConflict(stanzas)
  if (conflict) return { refused: conflict }
  return { path: Object.fromEntries(stanzas.map((stanza) => [stanza.location, written(stanza)])) }
}

/** One stanza per location, with the actions of all items that cover it. */
function gather(items: readonly IntentItem[]): readonly Stanza[] | Refusal {
  const own = new Map<string, { actions: Set<string>; constraints: string; item: IntentItem }>()
  for (const item of items) {
    const constraints = canonical(item.constraints)
    for (const location of item.locations) {
      const known = own.get(location)
      if (known && known.constraints !== constraints) return differing(location, location)
      const actions = known?.actions ?? new Set()
      for (const action of item.actions) actions.add(action)
      own.set(location, { actions, constraints, item })
    }
  }
  if (own.size > MAX_STANZAS) return { refused: `more than ${MAX_STANZAS} locations in one policy` }
  const parsed = [...own].map(([location, entry]) => ({
    ...entry,
    location,
    pattern: parsePath(location),
  }))
  return parsed.map(({ location, pattern, actions, constraints, item }) => ({
    location,
    pattern,
    constraints,
    parameters: item.constraints ?? {},
    own: actions,
    actions: new Set(
      parsed
        .filter((wider) => covers(wider.pattern, pattern))
        .flatMap((wider) => [...wider.actions]),
    ),
  }))
}

function findConflict(stanzas: readonly Stanza[]): string | undefined {
  for (const a of stanzas) {
    for (const b of stanzas) {
      if (a === b) continue
      const conflict = conflictOf(a, b) ?? hiddenListing(a, b)
      if (conflict) return conflict
    }
  }
  return undefined
}

/** Where both match, the one Vault picks must grant what both together promise. */
function conflictOf(a: Stanza, b: Stanza): string | undefined {
  if (!overlaps(a.pattern, b.pattern)) return undefined
  if (a.constraints !== b.constraints) return differing(a.location, b.location).refused
  if (sameActions(a, b)) return undefined
  const [outer, inner] = covers(a.pattern, b.pattern) ? [a, b] : [b, a]
  if (covers(outer.pattern, inner.pattern) && outranks(inner.pattern, outer.pattern)) {
    return undefined
  }
  return `locations "${a.location}" and "${b.location}" overlap with different actions, which vault cannot express exactly: give both the same actions or separate them`
}

/** Vault judges the listing of `x/` first by whatever matches `x`. */
function hiddenListing(listed: Stanza, other: Stanza): string | undefined {
  const { pattern } = listed
  if (!listed.actions.has('list') || other.actions.has('list')) return undefined
  if (isPlain(pattern) || pattern.segments.at(-1) !== '') return undefined
  const folder: PathPattern = { segments: pattern.segments.slice(0, -1), open: false }
  if (!overlaps(folder, other.pattern)) return undefined
  return `listing "${listed.location}" would be hidden by "${other.location}": give both the same actions or separate them`
}

function sameActions(a: Stanza, b: Stanza): boolean {
  return a.actions.size === b.actions.size && [...a.actions].every((x) => b.actions.has(x))
}

function differing(a: string, b: string): Refusal {
  return {
    refused: `locations "${a}" and "${b}" overlap under different constraints, which vault would merge: separate them or use the same constraints`,
  }
}

function written({ actions, parameters }: Stanza): PolicyStanza {
  const names = Object.keys(parameters)
  const demanded = names.filter((name) => (parameters[name]?.length ?? 0) > 0)
  return {
    capabilities: CAPABILITIES.filter((capability) => actions.has(capability)),
    ...(names.length === 0 ? {} : { allowed_parameters: parameters }),
    ...(demanded.length === 0 ? {} : { required_parameters: demanded }),
  }
}

function canonical(constraints: IntentItem['constraints']): string {
  const entries = Object.entries(constraints ?? {}).map(([name, values]) => [
    name,
    [...new Set(values)].sort(),
  ])
  return JSON.stringify(entries.sort())
}
