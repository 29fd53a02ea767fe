import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { invalid } from './invalid.ts'

/** 1 to 255 visible ASCII characters. */
const KEY = /^[\x21-\x7e]{1,255}$/
/** An RFC 9651 string: in quotes, with `\"` and `\\`. */
const QUOTED = /^"((?:[^"\\]|\\["\\])*)"$/

/**
 * The `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header): quoted as the draft
 * says or bare as most clients send it; both name the same key.
 */
export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .transform((text) => QUOTED.exec(text)?.[1]?.replace(/\\(["\\])/g, '$1') ?? text)
    .refine((key) => KEY.test(key), 'must be 1 to 255 visible ASCII characters')
    .optional()
    .openapi({
      type: 'string',
      description: 'One key has at most one live lease; a repeated request replaces it.',
    }),
})

/** The key of a request; absent: it has none. */
export function idempotencyKeyOf(c: Context): string | undefined {
  const said = c.req.header('idempotency-key')
  if (said === undefined) return undefined
  const checked = idempotencyHeaders.safeParse({ 'idempotency-key': said })
  if (!checked.success) throw invalid(checked.error)
  return checked.data['idempotency-key']
}
