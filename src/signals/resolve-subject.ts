import { isId, leaseOfName } from '../ids.ts'
import type { SelectorFields } from '../model/selector.ts'
import type { SubjectIdentifier } from './subject-identifier.ts'

/** What is known here that an identifier could mean. */
export interface Directory {
  /** Issuers of workloads, by what their tokens say in `iss`, or by trust domain. */
  readonly issuers: readonly { readonly name: string; readonly url: string }[]
  readonly agents: readonly {
    readonly id: string
    readonly tenant: string
    /** The mail address its workloads show, where it is configured by one. */
    readonly email: string | undefined
  }[]
  /** Where this broker is reached: how it names itself in what it signs. */
  readonly ownUrl: string
  /** What an operator said an identifier means, by its canonical text. */
  readonly named: ReadonlyMap<string, SelectorFields>
  /** Members of a complex subject that must be understood. */
  readonly critical: readonly string[]
}

/** Any of these, or nobody, and why. */
export type ResolvedSubject =
  | { readonly selectors: readonly SelectorFields[] }
  | { readonly why: string }

/** Those that say which one; any other member says only where, and never stands in for them. */
const NARROW = ['session', 'user', 'device']

/** Each is an order of its own: more than an event about one subject has, and soon written down. */
const MOST_COMBINATIONS = 100

/**
 * Whom an identifier names here. Never wider than what it says: where it names nobody that is known,
 * the answer is nobody, with the reason.
 *
 * Of a `complex` subject every member that is known here must match; members that are not known
 * are ignored, as SSF's subject matching says, but if a session, user or device is named, at least
 * one of them must be known, else one of whatever is named beside the tenant: an unknown user or
 * group in a known tenant is not the whole tenant. Members with many aliases each multiply: past
 * `MOST_COMBINATIONS` they name nobody.
 */
export function resolveSubject(said: SubjectIdentifier, directory: Directory): ResolvedSubject {
  const named = directory.named.get(canonical(said))
  if (named !== undefined) return { selectors: [named] }
  switch (said.format) {
    case 'iss_sub':
      return oneOf(
        workloadsOf(directory, said.iss, said.sub),
        'its iss is not that of a configured issuer of workloads',
      )
    case 'opaque':
      return oneOf(opaque(said.id, directory), 'its id is no task, lease or agent')
    case 'email':
      return byEmail(said.email, directory)
    case 'account':
      return byEmail(said.uri.replace(/^acct:/i, ''), directory)
    case 'uri':
      return oneOf(byUri(said.uri, directory), 'its uri names no workload, task or lease')
    case 'jwt_id': {
      const lease = said.iss === directory.ownUrl ? leaseOfName(said.jti) : undefined
      return oneOf(lease === undefined ? [] : [{ lease }], 'this token was not issued here')
    }
    case 'aliases': {
      const all = said.identifiers.map((one) => resolveSubject(one, directory))
      return oneOf(
        all.flatMap((one) => ('selectors' in one ? one.selectors : [])),
        'none of its aliases is known here',
      )
    }
    case 'complex':
      return resolveComplex(said.members, directory)
    case 'did':
    case 'phone_number':
    case 'saml_assertion_id':
    case 'ip-addresses':
    case 'other':
      return { why: 'nothing here is named in this format' }
  }
}

/** One text for one identifier, whatever the order of its members. */
export function canonical(value: unknown): string {
  if (value instanceof Map) return canonical(Object.fromEntries(value))
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join(',')}}`
}

function resolveComplex(
  members: Extract<SubjectIdentifier, { format: 'complex' }>['members'],
  directory: Directory,
): ResolvedSubject {
  const known = new Map<string, readonly SelectorFields[]>()
  for (const [name, member] of members) {
    const resolved =
      name === 'tenant' && member.format === 'opaque'
        ? tenantOf(member, directory)
        : resolveSubject(member, directory)
    if ('selectors' in resolved) known.set(name, resolved.selectors)
    else if (directory.critical.includes(name)) {
      return { why: `its ${name} must be understood, and ${resolved.why}` }
    }
  }
  const narrow = NARROW.filter((name) => members.has(name))
  const within = [...members.keys()].filter((name) => name !== 'tenant')
  const which = narrow.length > 0 ? narrow : within
  if (known.size === 0 || (which.length > 0 && !which.some((name) => known.has(name)))) {
    return { why: `none of its members ${[...members.keys()].join(', ')} is known here` }
  }
  let selectors: readonly SelectorFields[] = [{}]
  for (const choices of known.values()) {
    selectors = selectors.flatMap((one) => choices.flatMap((two) => both(one, two)))
    if (selectors.length > MOST_COMBINATIONS) {
      return { why: `its members name more than ${MOST_COMBINATIONS} things together` }
    }
  }
  return oneOf(selectors, 'its members name different things')
}

function tenantOf(
  member: { readonly format: 'opaque'; readonly id: string },
  directory: Directory,
): ResolvedSubject {
  const named = directory.named.get(canonical(member))
  if (named !== undefined) return { selectors: [named] }
  const known = directory.agents.some(({ tenant }) => tenant === member.id)
  return oneOf(known ? [{ tenant: member.id }] : [], 'no agent has this tenant')
}

function both(a: SelectorFields, b: SelectorFields): SelectorFields[] {
  const contradicted = Object.entries(b).some(
    ([field, value]) => Object.hasOwn(a, field) && a[field as keyof SelectorFields] !== value, // a field of b
  )
  return contradicted ? [] : [{ ...a, ...b }]
}

function workloadsOf({ issuers }: Directory, iss: string, sub: string): SelectorFields[] {
  return issuers
    .filter(({ url }) => url === iss)
    .map(({ name }) => ({ workload: `${name}/${sub}` }))
}

function opaque(id: string, { agents }: Directory): SelectorFields[] {
  if (isId('task', id)) return [{ task: id }]
  const lease = isId('lease', id) ? id : leaseOfName(id)
  if (lease !== undefined) return [{ lease }]
  return agents.some((agent) => agent.id === id) ? [{ agent: id }] : []
}

function byEmail(email: string, { agents }: Directory): ResolvedSubject {
  const wanted = email.toLowerCase()
  const theirs = agents.filter((agent) => agent.email?.toLowerCase() === wanted)
  return oneOf(
    theirs.map(({ id }) => ({ agent: id })),
    'no agent is configured by this address',
  )
}

function byUri(uri: string, directory: Directory): SelectorFields[] {
  const domain = /^spiffe:\/\/[^/]+/.exec(uri)?.[0]
  if (domain !== undefined) return workloadsOf(directory, domain, uri)
  const own = `${directory.ownUrl}/v1/`
  const [kind, id = '', more] = uri.startsWith(own) ? uri.slice(own.length).split('/') : []
  if (more !== undefined) return []
  if (kind === 'tasks' && isId('task', id)) return [{ task: id }]
  return kind === 'leases' && isId('lease', id) ? [{ lease: id }] : []
}

function oneOf(selectors: readonly SelectorFields[], why: string): ResolvedSubject {
  return selectors.length === 0 ? { why } : { selectors }
}
