import type { Page } from '../store/store.ts'

/** One page of a list; `next` continues it, undefined at its end. */
export interface Listing<T> {
  readonly items: readonly T[]
  readonly next: string | undefined
}

/** How many rows a filtered list looks at before it answers with what it found so far. */
const MAX_ROWS_LOOKED_AT = 5_000

/** A page of a list, with whether there is more: one row beyond the page tells. */
export async function pageFrom<T>(
  page: Page,
  list: {
    readonly fetch: (page: Page) => Promise<readonly T[]>
    readonly place: (item: T) => string
  },
): Promise<Listing<T>> {
  const rows = await list.fetch({ ...page, limit: page.limit + 1 })
  const items = rows.slice(0, page.limit)
  const last = items.at(-1)
  return { items, next: last && rows.length > items.length ? list.place(last) : undefined }
}

/** The same over a list of which the caller may see only some: rows are read until it is full. */
export async function filteredPage<T>(
  page: Page,
  list: {
    readonly fetch: (page: Page) => Promise<readonly T[]>
    readonly place: (item: T) => string
    readonly keep: (item: T) => boolean
  },
): Promise<Listing<T>> {
  const items: T[] = []
  let after = page.after
  for (let seen = 0; seen < MAX_ROWS_LOOKED_AT; seen += page.limit) {
    const { items: rows, next } = await pageFrom({ limit: page.limit, after }, list)
    for (const row of rows.filter(list.keep)) {
      if (items.length === page.limit) return { items, next: placeOfLast(items, list.place) }
      items.push(row)
    }
    if (next === undefined) return { items, next: undefined }
    after = next
  }
  return { items, next: after }
}

/** A page of what is in memory as a whole; `place` must order as the items do. */
export function pageOfAll<T>(
  all: readonly T[],
  page: Page,
  place: (item: T) => string,
): Listing<T> {
  const from =
    page.after === undefined ? 0 : all.findIndex((item) => place(item) === page.after) + 1
  // A place that is gone starts nothing anew: the list would otherwise repeat for ever.
  if (from === 0 && page.after !== undefined) return { items: [], next: undefined }
  const items = all.slice(from, from + page.limit)
  const last = items.at(-1)
  return { items, next: last && from + items.length < all.length ? place(last) : undefined }
}

function placeOfLast<T>(items: readonly T[], place: (item: T) => string): string | undefined {
  const last = items.at(-1)
  return last === undefined ? undefined : place(last)
}
