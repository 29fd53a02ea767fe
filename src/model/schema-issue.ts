import type { z } from 'zod'

/** Of a union's alternatives the one that got furthest: most likely what was meant. */
export function nearestBranch(branches: z.core.$ZodIssue[][]): z.core.$ZodIssue[] | undefined {
  const depth = (issues: z.core.$ZodIssue[]) => Math.max(0, ...issues.map((i) => i.path.length))
  const nearest = branches.toSorted((a, b) => depth(b) - depth(a) || a.length - b.length)[0]
  return nearest !== undefined && nearest.length > 0 ? nearest : undefined
}

/** `agents[2].match.claims.sub`; keys that are not plain words stand in quotes. */
export function joinPath(base: string, rest: readonly PropertyKey[]): string {
  return rest.reduce<string>((path, key) => {
    if (typeof key === 'number') return `${path}[${key}]`
    const word = String(key)
    if (!/^[\w-]+$/.test(word)) return `${path}[${JSON.stringify(word)}]`
    return path === '' ? word : `${path}.${word}`
  }, base)
}
