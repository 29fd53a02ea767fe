/**
 * Whether no object in a JSON text says the same key twice. Parsers keep the last one silently, so
 * that two readers of one token could see two different claims. Meant for text that
 * `JSON.parse` has accepted already.
 */
export function hasUniqueKeys(json: string): boolean {
  const open: (Set<string> | undefined)[] = []
  let key = false
  for (const [token] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g)) {
    const keys = open.at(-1)
    if (token === '{') {
      open.push(new Set())
      key = true
    } else if (token === '[') {
      open.push(undefined)
      key = false
    } else if (token === '}' || token === ']') {
      open.pop()
      key = false
    } else if (token === ',') {
      key = keys !== undefined
    } else if (key && keys !== undefined) {
      const name: unknown = JSON.parse(token)
      if (typeof name !== 'string' || keys.has(name)) return false
      keys.add(name)
      key = false
    }
  }
  return true
}
