import type { Refusal } from '../../src/model/intent.ts'
import { patternsOverlap } from './patterns.ts'
import type { Rule } from './rules.ts'
import { one, type Statement } from './statement.ts'
import { coversAction } from './vocabulary.ts'

/** More statements than these never fit a session policy. */
const MAX_COMBINATIONS = 64

/** What a request can be outside of: a rule's actions, its locations, or one of its keys. */
type Side = 'action' | 'location' | { readonly key: string }

/**
 * Deny statements that together match exactly the requests no rule permits.
 *
 * A request is outside all rules if for each rule it is outside one of its sides. For each way to
 * choose those sides one statement matches: `NotAction` of the rules left by action, `NotResource`
 * of those left by location, `StringNotLike` of those left by a key. Rules whose actions never
 * meet are kept apart, so that they do not multiply: what is outside every rule's actions is one
 * statement for all, and the rest of a group speaks about the group's own actions only.
 */
export function denyAllElse(rules: readonly Rule[]): readonly Statement[] | Refusal {
  const groups = meeting(rules)
  const all = rules.flatMap((rule) => rule.actions)
  const statements = all.includes('*')
    ? []
    : [{ Effect: 'Deny', NotAction: one(unique(all)), Resource: '*' } as const]
  const within: Statement[] = []
  for (const group of groups) {
    const ways = group.reduce((product, rule) => product * (2 + rule.constraints.size), 1)
    if (ways > MAX_COMBINATIONS) {
      const named = group.flatMap((rule) => rule.actions).slice(0, 4)
      return {
        refused: `too many items overlap in actions (${named.join(', ')}…) to deny all else exactly: use the same actions for the same locations, or ask twice`,
      }
    }
    const elsewhere = rules.filter((rule) => !group.includes(rule)).flatMap((rule) => rule.actions)
    within.push(...choices(group).flatMap((sides) => denial(group, sides, elsewhere)))
  }
  return [...statements, ...within]
}

/** The statement for one choice of sides; none where another statement says it already. */
function denial(
  group: readonly Rule[],
  sides: readonly Side[],
  elsewhere: readonly string[],
): readonly Statement[] {
  const left = (side: Side) => group.filter((_, i) => sides[i] === side)
  const leftByAction = left('action').flatMap((rule) => rule.actions)
  const groupActions = unique(group.flatMap((rule) => rule.actions))
  // Outside the actions of all: the statement for all rules denies that.
  if (groupActions.every((action) => leftByAction.some((a) => coversAction(a, action)))) return []
  const locations = unique(left('location').flatMap((rule) => rule.locations))
  if (locations.includes('*')) return []
  const conditions = new Map<string, string[]>()
  for (const [i, side] of sides.entries()) {
    if (typeof side === 'string') continue
    const key = [...conditions.keys()].find((k) => sameKey(k, side.key)) ?? side.key
    const values = group[i]?.constraints.get(side.key) ?? []
    conditions.set(key, unique([...(conditions.get(key) ?? []), ...values]))
  }
  const unlike = [...conditions].map(([key, values]) => [key, one(values)] as const)
  return [
    {
      Effect: 'Deny',
      ...(leftByAction.length === 0
        ? { Action: one(groupActions) }
        : { NotAction: one(unique([...leftByAction, ...elsewhere])) }),
      ...(locations.length === 0 ? { Resource: '*' } : { NotResource: one(locations) }),
      ...(unlike.length > 0 ? { Condition: { StringNotLike: Object.fromEntries(unlike) } } : {}),
    },
  ]
}

/** Every way to pick one side of each rule. */
function choices(group: readonly Rule[]): readonly (readonly Side[])[] {
  return group.reduce<Side[][]>(
    (sofar, rule) => {
      const sides: Side[] = [
        'action',
        'location',
        ...[...rule.constraints.keys()].map((key) => ({ key })),
      ]
      return sofar.flatMap((chosen) => sides.map((side) => [...chosen, side]))
    },
    [[]],
  )
}

/** Rules grouped so that actions of different groups never match the same action. */
function meeting(rules: readonly Rule[]): readonly (readonly Rule[])[] {
  let groups: Rule[][] = []
  for (const rule of rules) {
    const touched = groups.filter((group) => group.some((other) => meet(rule, other)))
    groups = [...groups.filter((group) => !touched.includes(group)), [...touched.flat(), rule]]
  }
  return groups
}

function meet(a: Rule, b: Rule): boolean {
  return a.actions.some((x) =>
    b.actions.some((y) => patternsOverlap(x.toLowerCase(), y.toLowerCase())),
  )
}

function sameKey(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}
