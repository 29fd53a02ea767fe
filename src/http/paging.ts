import { z } from '@hono/zod-openapi'
import type { Listing } from '../broker/page.ts'
import type { Page } from '../broker/read.ts'
import { MayflyError } from '../errors.ts'
import type { PageWire } from '../model/wire.ts'

const MAX_LIMIT = 500
const DEFAULT_LIMIT = 100

/** Query fields of every list. */
export const paging = {
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT),
  cursor: z.string().min(1).max(256).optional().openapi({
    description: 'The next_cursor of the page before. It is a place in a list, not authority.',
  }),
}

/** Where lists by instant and id go on. */
export const BY_TIME = /^\d{1,15}\.[a-z]+_[a-z2-7]{20}$/
/** Where lists by a configured name go on. */
export const BY_NAME = /^[a-z0-9._-]{1,63}$/
export const BY_NUMBER = /^\d{1,15}$/

/** Reads a page's query; `form` is what the list's own cursors look like inside. */
export function pageOf(
  query: { readonly limit: number; readonly cursor?: string | undefined },
  form: RegExp,
): Page {
  const { limit, cursor } = query
  if (cursor === undefined) return { limit, after: undefined }
  const after = Buffer.from(cursor, 'base64url').toString()
  if (form.test(after) && encode(after) === cursor) return { limit, after }
  throw new MayflyError('invalid_request', 'the cursor is not one of this list', {
    problems: [{ path: 'cursor', message: 'must be the next_cursor of an earlier answer' }],
  })
}

export function pageWire<T, W>({ items, next }: Listing<T>, wire: (item: T) => W): PageWire<W> {
  return { items: items.map(wire), next_cursor: next === undefined ? null : encode(next) }
}

export function pageAnswer<S extends z.ZodType>(item: S) {
  return z.strictObject({ items: z.array(item), next_cursor: z.string().nullable() })
}

function encode(place: string): string {
  return Buffer.from(place).toString('base64url')
}
