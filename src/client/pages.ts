import type { PageWire } from '../model/wire.ts'

/** A broker that hands out the same cursor again would otherwise keep a client for ever. */
export class RepeatedCursorError extends Error {
  constructor() {
    super('the server handed out the same cursor twice: the list cannot be read to its end')
    this.name = 'RepeatedCursorError'
  }
}

/** Every item of a list that travels in pages, one page in memory at a time. */
export async function* everyItem<T>(
  page: (cursor: string | undefined) => Promise<PageWire<T>>,
): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined
  for (;;) {
    const { items, next_cursor } = await page(cursor)
    yield* items
    if (next_cursor === null) return
    if (next_cursor === cursor) throw new RepeatedCursorError()
    cursor = next_cursor
  }
}
