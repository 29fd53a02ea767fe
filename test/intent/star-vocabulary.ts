import type { Vocabulary } from '../../src/model/intent.ts'

/**
 * The smallest vocabulary with wildcards: actions and locations are text in which a final `*`
 * stands for any rest. Constraints are lists of allowed values.
 */
export const STAR: Vocabulary = {
  type: 'star',
  check: (item) => {
    const bad = [...item.actions, ...item.locations].find((text) => text.slice(0, -1).includes('*'))
    return bad === undefined ? undefined : { refused: `"${bad}" has a * that is not at its end` }
  },
  coversAction: covers,
  coversLocation: covers,
  coversConstraints: (ceiling, request) =>
    Object.entries(ceiling ?? {}).every(([key, allowed]) => {
      const asked = request?.[key]
      return asked?.every((value) => allowed.includes(value)) ?? false
    }),
  overlaps: (a, b) => {
    const [x, y] = [a.replace('*', ''), b.replace('*', '')]
    if (a === b) return true
    if (a.endsWith('*') && b.endsWith('*')) return x.startsWith(y) || y.startsWith(x)
    return starMatches(a, b) || starMatches(b, a)
  },
  impactOf: (action, locations) => [
    ...(action.startsWith('delete') ? (['destructive-write'] as const) : []),
    ...(locations.includes('*') ? (['bulk-read'] as const) : []),
  ],
}

/** Whether a pattern matches one concrete text. */
export function starMatches(pattern: string, text: string): boolean {
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : pattern === text
}

function covers(ceiling: string, request: string): boolean {
  if (!ceiling.endsWith('*')) return ceiling === request
  return request.startsWith(ceiling.slice(0, -1))
}
