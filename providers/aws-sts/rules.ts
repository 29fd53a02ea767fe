import type { IntentItem } from '../../src/model/intent.ts'
import { coversAction, coversLocation } from './vocabulary.ts'

/** Any of `actions` on any of `locations`, where every key has one of its values. */
export interface Rule {
  readonly actions: readonly string[]
  readonly locations: readonly string[]
  /** Condition key as written → patterns. */
  readonly constraints: ReadonlyMap<string, readonly string[]>
}

/**
 * The intent's items as rules that permit exactly the same: what one value covers is left out, and
 * items that differ only in their actions, or only in their locations, become one.
 */
export function mergeRules(intent: readonly IntentItem[]): readonly Rule[] {
  const rules: Rule[] = []
  for (const item of intent) {
    let rule = toRule(item)
    for (;;) {
      const at = rules.findIndex((known) => joined(known, rule) !== undefined)
      const known = rules[at]
      const union = known && joined(known, rule)
      if (!union) break
      rules.splice(at, 1)
      rule = union
    }
    rules.push(rule)
  }
  return rules
}

function toRule(item: IntentItem): Rule {
  const constraints = Object.entries(item.constraints ?? {})
    .map(([key, values]) => [key, [...new Set(values)].sort()] as const)
    .sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
  return {
    actions: widest(item.actions, coversAction),
    locations: widest(item.locations, coversLocation),
    constraints: new Map(constraints),
  }
}

/** One rule for both, or undefined where that would permit more. */
function joined(a: Rule, b: Rule): Rule | undefined {
  if (!sameConstraints(a, b)) return undefined
  const locations = widest([...a.locations, ...b.locations], coversLocation)
  const actions = widest([...a.actions, ...b.actions], coversAction)
  if (sameValues(a.actions, b.actions)) return { ...a, locations }
  return sameValues(a.locations, b.locations) ? { ...a, actions } : undefined
}

function widest(values: readonly string[], covers: (a: string, b: string) => boolean): string[] {
  const kept: string[] = []
  for (const value of values) {
    if (kept.some((known) => covers(known, value))) continue
    kept.splice(0, kept.length, ...kept.filter((known) => !covers(value, known)), value)
  }
  return kept
}

function sameConstraints(a: Rule, b: Rule): boolean {
  const text = (rule: Rule) =>
    JSON.stringify([...rule.constraints].map(([key, values]) => [key.toLowerCase(), values]))
  return text(a) === text(b)
}

function sameValues(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value) => b.includes(value))
}
