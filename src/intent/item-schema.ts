import { z } from 'zod'
import type { IntentItem } from '../model/intent.ts'
import { withoutUndefined } from '../model/optional.ts'
import { MAX_TEXT, plainText } from '../model/text.ts'

const MAX_ITEMS = 20
/** Per item: actions, locations, and values of one constraint. */
const MAX_VALUES = 50
const MAX_CONSTRAINTS = 20
/** Over a whole intent: what its impact is computed from, so that nobody buys work with one call. */
const MAX_PAIRS = 2_500

const values = z
  .array(plainText(MAX_TEXT))
  .min(1, 'must name at least one value')
  .max(MAX_VALUES, `must name at most ${MAX_VALUES} values`)

/** zod drops a record's `__proto__` without a word; a dropped constraint would widen the item. */
export const constraintsSchema = z.preprocess(
  (input, context) => {
    if (typeof input === 'object' && input !== null && Object.hasOwn(input, '__proto__')) {
      context.addIssue({ code: 'custom', message: 'must not name __proto__', input })
    }
    return input
  },
  z
    .record(plainText(MAX_TEXT), values)
    .refine((map) => Object.keys(map).length <= MAX_CONSTRAINTS, {
      error: `must hold at most ${MAX_CONSTRAINTS} constraints`,
    }),
)

/** One item of an intent as it comes from outside; unknown fields are refused. */
export const intentItemSchema = withoutUndefined<IntentItem>(
  z.strictObject({
    type: plainText(64),
    identifier: plainText(128).optional(),
    actions: values,
    locations: values,
    constraints: constraintsSchema.optional(),
  }),
)

/** A whole intent: 1 to 20 items, and no more action–location pairs than can be weighed quickly. */
export const intentSchema = z
  .array(intentItemSchema)
  .min(1, 'must have at least one item')
  .max(MAX_ITEMS, `must have at most ${MAX_ITEMS} items`)
  .refine((items) => items.reduce((sum, i) => sum + pairs(i), 0) <= MAX_PAIRS, {
    error: `must have at most ${MAX_PAIRS} pairs of action and location in all`,
  })

function pairs(item: { actions: readonly string[]; locations: readonly string[] }): number {
  return item.actions.length * item.locations.length
}
