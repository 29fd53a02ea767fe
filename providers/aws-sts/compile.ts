import type { IntentItem, Refusal } from '../../src/model/intent.ts'
import { carriesKey, LISTING_ACTIONS } from './condition-keys.ts'
import { denyAllElse } from './deny-all-else.ts'
import { guardsFor, residualsOf } from './guards.ts'
import { patternsOverlap } from './patterns.ts'
import { mergeRules, type Rule } from './rules.ts'
import { one, type Statement } from './statement.ts'
import { awsVocabulary } from './vocabulary.ts'

export interface CompiledScope {
  /** The session policy's statements without its end, which only the mint knows. */
  readonly statements: readonly Statement[]
  readonly residuals: readonly string[]
}

/**
 * What AWS applies to an inline session policy under its old rule and its new one
 * (AssumeRole API reference; provider-truth §3.2).
 */
export const MAX_POLICY_CHARACTERS = 2_048

/** Weighed before anything is compared pairwise: merging never makes up for more than this. */
const MAX_INTENT_CHARACTERS = 2 * MAX_POLICY_CHARACTERS

/**
 * An intent as a session policy: Allow of just that, explicit Deny of everything else (a resource
 * policy that names the session escapes implicit denies, not explicit ones), explicit Deny of what
 * could undo or outlive the credential. Exact, or a refusal that names what to change.
 */
export function compileScope(intent: readonly IntentItem[]): CompiledScope | Refusal {
  for (const [index, item] of intent.entries()) {
    const fault = itemFault(item)
    if (fault) return { refused: `intent[${index}]: ${fault}` }
  }
  const written = charactersOf(intent)
  if (written > MAX_INTENT_CHARACTERS) return { refused: tooLarge(written, intent) }
  const rules = mergeRules(intent)
  const actions = rules.flatMap((rule) => rule.actions)
  const guards = guardsFor(actions)
  if ('refused' in guards) return guards
  const denials = denyAllElse(rules)
  if ('refused' in denials) return denials
  const statements: Statement[] = [
    ...rules.map(allow),
    ...denials,
    ...(guards.length > 0 ? [{ Effect: 'Deny', Action: one(guards), Resource: '*' } as const] : []),
  ]
  const size = sessionPolicy(statements, 0).length
  if (size > MAX_POLICY_CHARACTERS) return { refused: tooLarge(size, intent) }
  return { statements, residuals: residualsOf(actions) }
}

/** The session policy's text; whatever it allows ends at `endsAt`, to the second before it. */
export function sessionPolicy(statements: readonly Statement[], endsAt: number): string {
  const end = new Date(Math.floor(endsAt / 1000) * 1000).toISOString().replace('.000Z', 'Z')
  const untilThen: Statement = {
    Effect: 'Deny',
    Action: '*',
    Resource: '*',
    Condition: { DateGreaterThan: { 'aws:CurrentTime': end } },
  }
  return JSON.stringify({ Version: '2012-10-17', Statement: [...statements, untilThen] })
}

function itemFault(item: IntentItem): string | undefined {
  if (item.type !== awsVocabulary.type) return `type "${item.type}" is not "aws"`
  if (item.actions.length === 0 || item.locations.length === 0) return 'it names nothing'
  const malformed = awsVocabulary.check(item)
  if (malformed) return malformed.refused
  const keys = Object.keys(item.constraints ?? {})
  for (const action of item.actions) {
    const stray = keys.find((key) => !carriesKey(action, key))
    if (stray !== undefined) {
      return `${stray} does not apply to every request of "${action}": give that action an item of its own`
    }
    const lists = LISTING_ACTIONS.some((listing) => patternsOverlap(action.toLowerCase(), listing))
    if (lists && !keys.some((key) => key.toLowerCase() === 's3:prefix')) {
      return `"${action}" lists a bucket: give s3:ListBucket an item of its own with constraints["s3:prefix"], or leave it out`
    }
  }
  return undefined
}

function allow(rule: Rule): Statement {
  const conditions = [...rule.constraints].map(([key, values]) => [key, one(values)] as const)
  return {
    Effect: 'Allow',
    Action: one(rule.actions),
    Resource: one(rule.locations),
    ...(conditions.length > 0 ? { Condition: { StringLike: Object.fromEntries(conditions) } } : {}),
  }
}

function charactersOf(intent: readonly IntentItem[]): number {
  const texts = intent.flatMap((item) => [...item.actions, ...item.locations])
  return [...new Set(texts)].reduce((sum, text) => sum + text.length, 0)
}

function tooLarge(size: number, intent: readonly IntentItem[]): string {
  const weights = intent.map((item) => JSON.stringify([item.actions, item.locations]).length)
  const heaviest = weights.indexOf(Math.max(...weights))
  const over = size - MAX_POLICY_CHARACTERS
  return (
    `the session policy would need ${size} characters, ${over} over what STS takes; ` +
    `intent[${heaviest}] weighs most: name fewer or shorter actions and locations, or ask twice`
  )
}
