import type { IntentItem, Refusal, Vocabulary } from '../model/intent.ts'

export interface Coverage {
  readonly ceiling: readonly IntentItem[]
  readonly request: readonly IntentItem[]
  readonly vocabulary: Vocabulary
}

/**
 * Whether `request` is a subset of `ceiling`: undefined, or a refusal naming the item and value at
 * fault. Nothing is ever narrowed to fit. Each item must be covered by one item of the ceiling,
 * never by several together: of the same type, for the same entitlement (a ceiling item without an
 * identifier stands for any), every action within one of its actions, every location within one of
 * its locations, and constraints at least as narrow.
 */
export function coversIntent({ ceiling, request, vocabulary }: Coverage): Refusal | undefined {
  if (request.length === 0) return { refused: 'intent must have at least one item' }
  for (const [index, item] of request.entries()) {
    const fault = itemFault(ceiling, item, vocabulary)
    if (fault !== undefined) return { refused: `intent[${index}]${fault}` }
  }
  return undefined
}

/** What is wrong with one item, as a suffix to its name; the nearest ceiling item is quoted. */
function itemFault(ceiling: readonly IntentItem[], item: IntentItem, vocabulary: Vocabulary) {
  if (item.type !== vocabulary.type) return `.type "${item.type}" is not "${vocabulary.type}" here`
  if (item.actions.length === 0) return '.actions must not be empty'
  if (item.locations.length === 0) return '.locations must not be empty'
  const malformed = vocabulary.check(item)
  if (malformed) return `: ${malformed.refused}`
  let nearest = { step: -1, text: '.type is not in the ceiling' }
  for (const above of ceiling) {
    const fault = faultUnder(above, item, vocabulary)
    if (fault === undefined) return undefined
    if (fault.step > nearest.step) nearest = fault
  }
  return nearest.text
}

/** The first step at which `item` leaves `above`; undefined if it stays inside. */
function faultUnder(above: IntentItem, item: IntentItem, vocabulary: Vocabulary) {
  if (above.type !== item.type) {
    return { step: 0, text: `.type "${item.type}" is not in the ceiling` }
  }
  if (above.identifier !== undefined && above.identifier !== item.identifier) {
    return { step: 1, text: `.identifier "${item.identifier ?? ''}" is not in the ceiling` }
  }
  for (const [i, action] of item.actions.entries()) {
    if (!above.actions.some((wide) => vocabulary.coversAction(wide, action))) {
      return { step: 2, text: `.actions[${i}] "${action}" exceeds it` }
    }
  }
  for (const [i, location] of item.locations.entries()) {
    if (!above.locations.some((wide) => vocabulary.coversLocation(wide, location))) {
      return { step: 3, text: `.locations[${i}] "${location}" exceeds it` }
    }
  }
  if (!vocabulary.coversConstraints(above.constraints, item.constraints)) {
    return { step: 4, text: '.constraints are wider than the ceiling allows' }
  }
  return undefined
}
