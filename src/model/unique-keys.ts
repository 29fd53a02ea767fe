/**
 * Whether no object in a JSON text says the same key twice. Parsers keep the last one silently, so
 * that two readers of one token could see two different claims. `value` is what `JSON.parse` made
 * of the text.
 */
export function hasUniqueKeys(json: string, value: unknown): boolean {
  // Whatever may be a key in the text is one in the value: none was said again.
  if ((json.match(/"\s*:/g)?.length ?? 0) === countKeys(value)) return true
  return saysNoKeyTwice(json)
}

/** Without recursion: nesting may be as deep as a body is long. */
function countKeys(value: unknown): number {
  let keys = 0
  const open = [value]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== 'object' || next === null) continue
    const inner = Object.values(next)
    if (!Array.isArray(next)) keys += inner.length
    for (const one of inner) if (typeof one === 'object' && one !== null) open.push(one)
  }
  return keys
}

function saysNoKeyTwice(json: string): boolean {
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
