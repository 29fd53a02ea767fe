/** What a column holds, or undefined if nobody can read it: one bad row must harm no other (P13). */
export function storedJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text))
  } catch {
    return undefined
  }
}

/**
 * The end of 9999, shown for an instant that cannot be read: most of those sort after every number,
 * and a page that ends with one goes on.
 */
export const LATEST = 253_402_300_799_999

/** What JavaScript can hold as a time; SQLite would keep any text in its place. */
export function storedInstant(value: unknown): number | undefined {
  return typeof value === 'number' && Math.abs(value) <= 8.64e15 ? value : undefined
}
