/** What a column holds, or undefined if nobody can read it: one bad row must harm no other (P13). */
export function storedJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text))
  } catch {
    return undefined
  }
}

/** What JavaScript can hold as a time; SQLite would keep any text in its place. */
export function storedInstant(value: unknown): number | undefined {
  return typeof value === 'number' && Math.abs(value) <= 8.64e15 ? value : undefined
}
