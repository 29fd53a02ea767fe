import type { Impact, IntentItem, Refusal, Vocabulary } from '../../src/model/intent.ts'
import { isWholeApi, locationCovers, locationProblem } from './location.ts'

/** A scope token of RFC 6749 §3.3 that reads as words: `read`, `tickets:close`, `mail.send`. */
const ACTION = /^[A-Za-z][A-Za-z0-9._:-]{0,126}$/
const CONSTRAINT = /^[A-Za-z][A-Za-z0-9._:-]{0,62}$/

/**
 * The words of an API of one's own: actions by name, locations as paths with a final `*`, and
 * constraints that the API itself must know. All of them reach it exactly as they are.
 */
export const vocabulary: Vocabulary = {
  type: 'api',
  check,
  coversAction: (ceiling, request) => ceiling === request,
  coversLocation: locationCovers,
  coversConstraints,
  overlaps: (a, b) => locationCovers(a, b) || locationCovers(b, a),
  impactOf: (action, locations) => locations.flatMap((one) => impactAt(action, one)),
}

function check(item: IntentItem): Refusal | undefined {
  if (item.type !== 'api') return { refused: `type: ${item.type} is not api` }
  if (item.actions.length === 0) return { refused: 'actions: must not be empty' }
  if (item.locations.length === 0) return { refused: 'locations: must not be empty' }
  const action = item.actions.find((text) => !ACTION.test(text))
  if (action !== undefined) {
    return { refused: `actions: ${JSON.stringify(action)} must be a name like tickets:read` }
  }
  for (const text of item.locations) {
    const problem = locationProblem(text)
    if (problem !== undefined) {
      return { refused: `locations: ${JSON.stringify(text)} ${problem}` }
    }
  }
  const name = Object.keys(item.constraints ?? {}).find((text) => !CONSTRAINT.test(text))
  if (name === undefined) return undefined
  return { refused: `constraints: ${JSON.stringify(name)} must be a name` }
}

/** A constraint of the ceiling must be there, with some of its values; more of them only narrow. */
function coversConstraints(
  ceiling: IntentItem['constraints'],
  request: IntentItem['constraints'],
): boolean {
  const asked = new Map(Object.entries(request ?? {}))
  return Object.entries(ceiling ?? {}).every(([name, allowed]) => {
    const values = asked.get(name)
    return values !== undefined && values.length > 0 && values.every((one) => allowed.includes(one))
  })
}

const READS = new Set(['read', 'get', 'list', 'search', 'query', 'view', 'describe', 'head'])
const ADDS = new Set(['create', 'add', 'append', 'comment', 'submit', 'send', 'publish', 'notify'])
const COPIES = new Set(['export', 'dump', 'download', 'backup', 'sync'])
const CREDENTIALS = /^(?:credential|secret|token|key|apikey|password|session|certificate)s?$/
const ESCALATES =
  /^(?:grant|admin|administer|impersonate|share|invite|assume|elevate|approve|role|permission|member|acl|policy|policies|owner)s?$/

/** By the words of its name, the last of which is its verb; an unknown verb counts as destructive. */
function impactAt(action: string, location: string): readonly Impact[] {
  const words = action.toLowerCase().split(/[._:-]/)
  const verb = words.at(-1) ?? ''
  const reads = READS.has(verb) || COPIES.has(verb)
  const impacts: Impact[] = []
  if (!reads && !ADDS.has(verb)) impacts.push('destructive-write')
  if (words.some((word) => CREDENTIALS.test(word))) impacts.push('credential-access')
  if (words.some((word) => ESCALATES.test(word))) impacts.push('privilege-escalation')
  if (COPIES.has(verb) || (reads && isWholeApi(location))) impacts.push('bulk-read')
  return impacts
}
