import { z } from '@hono/zod-openapi'
import type { IntentItem } from '../../model/intent.ts'
import type { IntentItemWire } from '../../model/wire.ts'

/** An item of an intent as it is answered; what comes in is checked by `intent/item-schema.ts`. */
export const intentItemAnswer = z
  .strictObject({
    type: z.string(),
    identifier: z.string().optional(),
    actions: z.array(z.string()),
    locations: z.array(z.string()),
    constraints: z.record(z.string(), z.array(z.string())).optional(),
  })
  .openapi('IntentItem')

export function intentWire(intent: readonly IntentItem[]): IntentItemWire[] {
  return intent.map(({ type, identifier, actions, locations, constraints }) => ({
    type,
    ...(identifier === undefined ? {} : { identifier }),
    actions: [...actions],
    locations: [...locations],
    ...(constraints === undefined ? {} : { constraints: copy(constraints) }),
  }))
}

function copy(constraints: Readonly<Record<string, readonly string[]>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(constraints).map(([key, of]) => [key, [...of]]))
}
