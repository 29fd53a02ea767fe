import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { Answer, PolicySet } from './policy-set.ts'
import { prepared } from './prepared.ts'
import { prune, pruneEntity, pruneRecord } from './prune.ts'
import type { CedarRequest } from './request.ts'
import type { Slice } from './slice.ts'

/** Entities of these types hold nothing a policy could look into, so they may stay out. */
const EMPTY_TYPES = new Set(['Mayfly::Tenant', 'Mayfly::Role', 'Mayfly::System', 'Mayfly::Zone'])

/** Answers kept per policy set: one or two kilobytes each. */
const MAX_REMEMBERED = 4_096

/**
 * Asks the engine, and believes only a clean yes: success, allow, no evaluation error, and every
 * entity present. The engine skips a `forbid` that errors, for example over a missing entity, and
 * would let a permit win.
 *
 * An answer depends on nothing but the slice and what its policies can see of the request, so it is
 * remembered: the engine takes some 300 µs to read a request it has seen before. What failed is
 * asked again.
 */
export function authorize(set: PolicySet, request: CedarRequest): Answer {
  const slice = set.slice(request)
  const key = visible(slice, request)
  const known = set.remembered.get(key)
  if (known !== undefined) return known
  const faults = requestFaults(request)
  if (faults.length > 0) return failure(faults)
  const answer = askEngine(set, slice, prune(request, slice.words))
  if (answer.failed) return answer
  if (set.remembered.size >= MAX_REMEMBERED) set.remembered.clear()
  set.remembered.set(key, answer)
  return answer
}

/** All that the slice's policies could tell apart. */
function visible({ id, words }: Slice, request: CedarRequest): string {
  const { principal, action, resource } = request
  const context = pruneRecord(request.context, words)
  const entities = request.entities.map((entity) => pruneEntity(entity, words))
  return JSON.stringify([id, principal, action, resource, context, entities])
}

function askEngine({ hash }: PolicySet, slice: Slice, request: CedarRequest): Answer {
  try {
    const preparsedPolicySetId = prepared(hash, slice)
    return read(cedar.statefulIsAuthorized({ ...request, preparsedPolicySetId }))
  } catch (error) {
    return failure([`the policy engine failed: ${String(error)}`])
  }
}

function read(answer: cedar.AuthorizationAnswer): Answer {
  if (answer.type === 'failure') return failure(answer.errors.map((error) => error.message))
  const { decision, diagnostics } = answer.response
  if (diagnostics.errors.length > 0) {
    const broken = diagnostics.errors.map((e) => `policy "${e.policyId}": ${e.error.message}`)
    return { ...failure(broken), policies: diagnostics.errors.map((e) => e.policyId).toSorted() }
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

/** What is missing from a request or cannot be read, whether or not a policy would look at it. */
function requestFaults({ principal, resource, context, entities }: CedarRequest): string[] {
  const given = new Set(entities.map(({ uid }) => nameOf(uid)))
  const found: Found = {
    references: new Set([nameOf(principal), nameOf(resource)]),
    faults: [],
  }
  inspect(context, found)
  for (const entity of entities) inspect(entity.attrs, found)
  const missing = [...found.references].filter((name) => !given.has(name))
  return [...found.faults, ...missing.map((name) => `${name} was not given`)]
}

interface Found {
  readonly references: Set<string>
  readonly faults: string[]
}

function inspect(value: cedar.CedarValueJson, found: Found): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    found.faults.push(`${value} is not a whole number`)
  }
  if (typeof value !== 'object' || value === null) return
  if ('__entity' in value) {
    // A record with this key is an entity reference and nothing else, by Cedar's JSON form.
    const uid = value as { __entity: cedar.TypeAndId }
    if (!EMPTY_TYPES.has(uid.__entity.type)) found.references.add(nameOf(uid))
    return
  }
  for (const inner of Object.values(value)) inspect(inner, found)
}

function nameOf(uid: cedar.EntityUidJson): string {
  const { type, id } = '__entity' in uid ? uid.__entity : uid
  return `${type}::${JSON.stringify(id)}`
}
