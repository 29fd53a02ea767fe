import type { Workload } from './workload.ts'

/**
 * The first claim that names an identity Mayfly hands out: what its credentials can obtain is no
 * evidence (P10). A known name that ends with `/*` stands for every name directly below.
 */
export function ownIdentityIn(
  { claims, lists }: Pick<Workload, 'claims' | 'lists'>,
  own: ReadonlySet<string>,
): string | undefined {
  const isOwn = (text: string) => {
    const name = text.toLowerCase()
    return own.has(name) || own.has(`${name.slice(0, name.lastIndexOf('/') + 1)}*`)
  }
  return (
    Object.entries(claims).find(([, value]) => isOwn(value))?.[0] ??
    Object.entries(lists).find(([, values]) => values.some(isOwn))?.[0]
  )
}

export function ownIdentities(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map((name) => name.toLowerCase()))
}
