import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { PolicySet } from './policy-set.ts'
import type { CedarRequest } from './request.ts'

/** What the engine said to one request. */
export interface Answer {
  readonly allowed: boolean
  /** The question could not be answered properly; always with `allowed` false. */
  readonly failed: boolean
  /** The policies that determined it. */
  readonly policies: readonly string[]
  readonly reasons: readonly string[]
}

/** Entities of these types hold nothing a policy could look into, so they may stay out. */
const EMPTY_TYPES = new Set(['Mayfly::Tenant', 'Mayfly::Role', 'Mayfly::System', 'Mayfly::Zone'])

/**
 * Asks the engine, and believes only a clean yes: success, allow, no evaluation error, and every
 * entity present. The engine skips a `forbid` that errors, for example over a missing entity, and
 * would let a permit win.
 */
export function authorize(set: PolicySet, request: CedarRequest): Answer {
  const missing = missingEntities(request)
  if (missing.length > 0) return failure(missing.map((name) => `${name} was not given`))
  try {
    return read(cedar.statefulIsAuthorized({ ...request, preparsedPolicySetId: prepared(set) }))
  } catch (error) {
    return failure([`the policy engine failed: ${String(error)}`])
  }
}

function read(answer: cedar.AuthorizationAnswer): Answer {
  if (answer.type === 'failure') return failure(answer.errors.map((error) => error.message))
  const { decision, diagnostics } = answer.response
  if (diagnostics.errors.length > 0) {
    const broken = diagnostics.errors.map((e) => `policy "${e.policyId}": ${e.error.message}`)
    return { ...failure(broken), policies: diagnostics.errors.map((e) => e.policyId) }
  }
  const policies = diagnostics.reason.toSorted()
  const verb = decision === 'allow' ? 'permitted' : 'forbidden'
  const reasons =
    policies.length === 0
      ? ['no policy permits it']
      : policies.map((policy) => `${verb} by policy "${policy}"`)
  return { allowed: decision === 'allow', failed: false, policies, reasons }
}

function failure(reasons: readonly string[]): Answer {
  return { allowed: false, failed: true, policies: [], reasons }
}

function missingEntities({ principal, resource, context, entities }: CedarRequest): string[] {
  const given = new Set(entities.map(({ uid }) => nameOf(uid)))
  const needed = new Set([nameOf(principal), nameOf(resource)])
  collectReferences(context, needed)
  for (const entity of entities) collectReferences(entity.attrs, needed)
  return [...needed].filter((name) => !given.has(name))
}

function collectReferences(value: cedar.CedarValueJson, into: Set<string>): void {
  if (typeof value !== 'object' || value === null) return
  if ('__entity' in value) {
    // A record with this key is an entity reference and nothing else, by Cedar's JSON form.
    const uid = value as { __entity: cedar.TypeAndId }
    if (!EMPTY_TYPES.has(uid.__entity.type)) into.add(nameOf(uid))
    return
  }
  for (const inner of Object.values(value)) collectReferences(inner, into)
}

function nameOf(uid: cedar.EntityUidJson): string {
  const { type, id } = '__entity' in uid ? uid.__entity : uid
  return `${type}::${JSON.stringify(id)}`
}

/**
 * The engine keeps parsed sets per thread under an id, forever: two ids are used in turn so that
 * reloads do not grow memory. This mirrors which set each id holds now, the one used last at the
 * end; a set that was pushed out is simply parsed again.
 */
const residents: { id: string; hash: string }[] = [
  { id: 'mayfly-a', hash: '' },
  { id: 'mayfly-b', hash: '' },
]

function prepared({ hash, policies }: PolicySet): string {
  const last = residents.length - 1
  if (residents[last]?.hash === hash) return residents[last].id
  const at = Math.max(
    0,
    residents.findIndex((resident) => resident.hash === hash),
  )
  const [resident] = residents.splice(at, 1)
  if (resident === undefined) throw new Error('no id is left for a policy set')
  residents.push(resident)
  if (resident.hash === hash) return resident.id
  resident.hash = ''
  const answer = cedar.preparsePolicySet(resident.id, { staticPolicies: { ...policies } })
  if (answer.type === 'failure') throw new Error(answer.errors.map((e) => e.message).join('; '))
  resident.hash = hash
  return resident.id
}
