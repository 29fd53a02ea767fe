/** One thing an access token permits (RFC 9396), as Mayfly writes it for `type: api`. */
export interface Grant {
  readonly type: string
  readonly actions: readonly string[]
  readonly locations: readonly string[]
  readonly constraints?: Readonly<Record<string, readonly string[]>>
}

/**
 * Whether one single grant permits `action` at `path`: a final `*` of a location stands for any
 * rest. A grant with a constraint this API does not know permits nothing.
 */
export function permits(
  details: unknown,
  asked: {
    readonly action: string
    /** As the URL standard writes it, so that `..` and escapes are gone. */
    readonly path: string
    /** What this request is, by the names of the constraints this API knows. */
    readonly facts?: Readonly<Record<string, string>>
  },
): boolean {
  const { action, path, facts = {} } = asked
  if (!Array.isArray(details) || path.includes('%')) return false
  return details.some((grant: Grant) => {
    if (grant.type !== 'api' || !grant.actions.includes(action)) return false
    const within = Object.entries(grant.constraints ?? {}).every(
      ([name, values]) => facts[name] !== undefined && values.includes(facts[name]),
    )
    return within && grant.locations.some((location) => covers(location, path))
  })
}

function covers(location: string, path: string): boolean {
  return location.endsWith('*') ? path.startsWith(location.slice(0, -1)) : location === path
}
