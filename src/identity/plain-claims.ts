import { hiddenCharacter, MAX_TEXT } from '../model/text.ts'

/** The plain text at a path of claims; undefined for anything else. */
export function textAt(claims: unknown, ...path: readonly string[]): string | undefined {
  const value = path.reduce(memberOf, claims)
  const plain = typeof value === 'string' && value !== '' && value.length <= MAX_TEXT
  return plain && hiddenCharacter(value) === undefined ? value : undefined
}

/** Those of `given` that have a value. */
export function present(given: Readonly<Record<string, string | undefined>>) {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Record<string, string> // the undefined are filtered out
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return (value as Record<string, unknown>)[key] // an object with that key, checked above
}
