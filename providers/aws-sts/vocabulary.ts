import type { IntentItem, Refusal, Vocabulary } from '../../src/model/intent.ts'
import { conditionKeyNames, isConditionKey } from './condition-keys.ts'
import { impactOf } from './impact.ts'
import { patternCovers, patternsOverlap } from './patterns.ts'

const ACTION = /^[a-z0-9-]+:[a-z0-9*?]+$/i
const ARN = /^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9*?-]*:[a-z0-9*?]*:.+$/
/** What the `Policy` parameter of AssumeRole can carry, without control characters. */
const PRINTABLE = /^[\x20-\x7e\xa0-\xff]+$/
const MAX_VALUE_CHARACTERS = 1_024

/**
 * IAM's own language: actions `service:Action` (case does not matter), ARNs, condition keys.
 * `covers…` holds whether a wildcard stops at a colon or crosses it: IAM documents both.
 */
export const awsVocabulary: Vocabulary = {
  type: 'aws',
  check,
  coversAction,
  coversLocation,
  coversConstraints,
  overlaps: patternsOverlap,
  impactOf,
}

function check(item: IntentItem): Refusal | undefined {
  for (const action of item.actions) {
    if (action !== '*' && !ACTION.test(action)) {
      return refuse('action', action, 'write service:Action; * and ? only in the action')
    }
  }
  for (const location of item.locations) {
    const fault = locationFault(location)
    if (fault) return refuse('location', location, fault)
  }
  const seen = new Set<string>()
  for (const [key, values] of Object.entries(item.constraints ?? {})) {
    if (!isConditionKey(key)) {
      return refuse('constraint', key, `use one of ${conditionKeyNames()}`)
    }
    if (seen.has(key.toLowerCase())) return refuse('constraint', key, 'it is given twice')
    if (values.length === 0) return refuse('constraint', key, 'give at least one value')
    seen.add(key.toLowerCase())
    const bad = values.find((value) => textFault(value))
    if (bad !== undefined) return refuse(`constraint ${key}`, bad, textFault(bad) ?? '')
  }
  return undefined
}

export function coversAction(ceiling: string, request: string): boolean {
  if (ceiling === '*') return true
  if (!ACTION.test(ceiling) || !ACTION.test(request)) return false
  return patternCovers(ceiling.toLowerCase(), request.toLowerCase())
}

/**
 * Part by part, the first five colons being fixed: then containment holds for strings whose parts
 * hold colons, too.
 */
export function coversLocation(ceiling: string, request: string): boolean {
  if (ceiling === '*') return locationFault(request) === undefined
  if (request === '*' || locationFault(ceiling) || locationFault(request)) return false
  const outer = arnParts(ceiling)
  const inner = arnParts(request)
  return outer.every((part, i) => patternCovers(part, inner[i] ?? ''))
}

function coversConstraints(
  ceiling: IntentItem['constraints'] | undefined,
  request: IntentItem['constraints'] | undefined,
): boolean {
  const asked = new Map(Object.entries(request ?? {}).map(([k, v]) => [k.toLowerCase(), v]))
  return Object.entries(ceiling ?? {}).every(([key, allowed]) => {
    const values = asked.get(key.toLowerCase())
    if (values === undefined || values.length === 0) return false
    return values.every((value) => allowed.some((wide) => patternCovers(wide, value)))
  })
}

function locationFault(location: string): string | undefined {
  if (location === '*') return undefined
  const fault = textFault(location)
  if (fault) return fault
  return ARN.test(location) ? undefined : 'write a whole ARN; partition and service are literal'
}

function textFault(text: string): string | undefined {
  if (text.length > MAX_VALUE_CHARACTERS) return `it is over ${MAX_VALUE_CHARACTERS} characters`
  if (!PRINTABLE.test(text)) return 'it holds characters a session policy cannot carry'
  return text.includes('${') ? 'policy variables are not supported' : undefined
}

/** The five fixed parts and the resource, which may hold colons. */
function arnParts(arn: string): string[] {
  const parts = arn.split(':')
  return [...parts.slice(0, 5), parts.slice(5).join(':')]
}

function refuse(what: string, value: string, fix: string): Refusal {
  return { refused: `${what} ${JSON.stringify(value.slice(0, 120))} is not usable on aws: ${fix}` }
}
