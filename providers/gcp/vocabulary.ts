import type { IntentItem, Refusal, Vocabulary } from '../../src/model/intent.ts'
import { parseAction, roleSurelyPermits } from './action.ts'
import { impactAt } from './impact.ts'
import { type Location, locationCovers, locationsOverlap, parseLocation } from './location.ts'

/**
 * Google Cloud's words: actions are IAM permissions, `inRole:roles/…`, or OAuth scopes; locations
 * are `gs://bucket/prefix*` or full resource names. There are no constraints.
 */
export const vocabulary: Vocabulary = {
  type: 'gcp',
  check,
  coversAction(ceiling, request) {
    if (ceiling === request) return true
    const above = parseAction(ceiling)
    const below = parseAction(request)
    if (above?.kind !== 'role' || below?.kind !== 'permission') return false
    return roleSurelyPermits(above.role, below.permission)
  },
  coversLocation: (ceiling, request) => compare(ceiling, request, locationCovers) ?? false,
  coversConstraints: (ceiling, request) => isEmpty(ceiling) && isEmpty(request),
  overlaps: (a, b) => compare(a, b, locationsOverlap) ?? true,
  impactOf: (action, locations) => locations.flatMap((one) => impactAt(action, one)),
}

function check(item: IntentItem): Refusal | undefined {
  if (item.type !== 'gcp') return { refused: `type: ${item.type} is not gcp` }
  if (item.actions.length === 0) return { refused: 'actions: must not be empty' }
  if (item.locations.length === 0) return { refused: 'locations: must not be empty' }
  const action = item.actions.find((text) => !parseAction(text))
  if (action !== undefined) {
    return {
      refused: `actions: ${JSON.stringify(action)} is no permission, inRole:roles/… or OAuth scope`,
    }
  }
  for (const text of item.locations) {
    const location = parseLocation(text)
    if (typeof location === 'string') {
      return { refused: `locations: ${JSON.stringify(text)} ${location}` }
    }
  }
  if (!isEmpty(item.constraints)) {
    return { refused: 'constraints: gcp has none; narrow the locations instead' }
  }
  return undefined
}

function isEmpty(constraints: IntentItem['constraints'] | undefined): boolean {
  return constraints === undefined || Object.keys(constraints).length === 0
}

function compare(
  a: string,
  b: string,
  how: (a: Location, b: Location) => boolean,
): boolean | undefined {
  const [left, right] = [parseLocation(a), parseLocation(b)]
  if (typeof left === 'string' || typeof right === 'string') return undefined
  return how(left, right)
}
