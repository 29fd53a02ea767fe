import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { type ErrorCode, STATUS_OF } from '../errors.ts'

/** A JSON answer in a route's description. */
export function json<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { 'application/json': { schema } } }
}

// Object.keys forgets the names of the keys; STATUS_OF holds exactly the codes.
const CODES = Object.keys(STATUS_OF) as ErrorCode[]

const problemAnswer = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(CODES),
    detail: z.string().optional().openapi({ description: 'What is at fault, and what to do.' }),
    request_id: z.string().openapi({ description: 'Also in the broker’s log.' }),
    errors: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
    retry_after: z
      .int()
      .optional()
      .openapi({ description: 'Seconds; also the Retry-After header.' }),
  })
  .openapi('Problem', {
    description: 'RFC 9457 problem details. Programs look at `code`, people at `detail`.',
  })

/** The path parameter of one thing; a malformed id is answered like an unknown one. */
export const byId = z.object({ id: z.string() })

export function idOf(c: Context): string {
  return c.req.param('id') ?? ''
}

/**
 * The refusals of a route, by status, for its description; every route can fail as a whole. They
 * are thrown, never returned, so handlers do not see them in their types.
 */
export function refusals(...codes: readonly ErrorCode[]): Record<never, never> {
  const all: ErrorCode[] = [...codes, 'internal', 'unavailable']
  const statuses = [...new Set(all.map((code) => STATUS_OF[code]))].toSorted((a, b) => a - b)
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: all.filter((code) => STATUS_OF[code] === status).join(', '),
        content: { 'application/problem+json': { schema: problemAnswer } },
      },
    ]),
  )
}
