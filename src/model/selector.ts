import { z } from 'zod'
import { withoutUndefined } from './optional.ts'
import { plainText } from './text.ts'

/** What a selector can name, in the order it is described. */
export const SELECTOR_FIELDS = [
  'lease',
  'task',
  'agent',
  'workload',
  'tenant',
  'entitlement',
  'provider',
  'target',
  'issuer',
  'policy_hash',
] as const

export type SelectorField = (typeof SELECTOR_FIELDS)[number]
export type SelectorFields = { readonly [F in SelectorField]?: string }

/** Names leases by what they belong to: every field given must match, or `all` of them. */
export type Selector = SelectorFields | { readonly all: true }

/** What a selector is held against: a lease, a task, or a request about to become one. */
export type SelectorSubject = SelectorFields & {
  /** The parents of `task`, nearest first: naming a task names its whole tree. */
  readonly ancestors?: readonly string[]
  /** The same as each agent it was delegated by would do it: naming one of them names it, too. */
  readonly above?: readonly SelectorSubject[]
}

const name = () => plainText().optional()

const fieldsSchema = z
  .strictObject({
    lease: name(),
    task: name(),
    agent: name(),
    workload: name(),
    tenant: name(),
    entitlement: name(),
    provider: name(),
    target: name(),
    issuer: name(),
    policy_hash: name(),
  })
  .refine((fields) => Object.keys(fields).length > 0, {
    error: `must name at least one of ${SELECTOR_FIELDS.join(', ')}, or all: true`,
  })

/** One shape for kill, block, signal and CLI; unknown fields are refused, and so is an empty one. */
export const selectorSchema = withoutUndefined<Selector>(
  z.union([z.strictObject({ all: z.literal(true) }), fieldsSchema]),
)

/** Whether what was stored still is a selector: it names something, and nothing unknown. */
export function isSelector(value: unknown): value is Selector {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const fields = Object.entries(value)
  const known = ([field, named]: [string, unknown]) =>
    typeof named === 'string' && SELECTOR_FIELDS.some((one) => one === field)
  if (fields.length === 1 && fields[0]?.[0] === 'all') return fields[0][1] === true
  return fields.length > 0 && fields.every(known)
}

/**
 * Whether `subject` is among what `selector` names. A field the subject does not have never
 * matches: a block on one entitlement does not keep its agent from opening a task.
 */
export function matches(selector: Selector, subject: SelectorSubject): boolean {
  if ('all' in selector) return true
  if (namesItself(selector, subject)) return true
  return subject.above?.some((one) => matches(selector, one)) ?? false
}

/** A selector in words, for people: `agent=a tenant=t`, or `everything`. */
export function describeSelector(selector: Selector): string {
  if ('all' in selector) return 'everything'
  return SELECTOR_FIELDS.filter((field) => selector[field] !== undefined)
    .map((field) => `${field}=${selector[field]}`)
    .join(' ')
}

/**
 * Whether ending what the selector names leaves nothing to block: one lease, or a task as a whole.
 * A part of a task (its leases of one entitlement) is not narrow, because the live task would
 * simply ask again.
 */
export function isNarrow(selector: Selector): boolean {
  if ('all' in selector) return false
  if (selector.lease !== undefined) return true
  return (
    selector.task !== undefined && PARTS_OF_A_TASK.every((part) => selector[part] === undefined)
  )
}

const PARTS_OF_A_TASK = ['entitlement', 'provider', 'target', 'policy_hash'] as const

/** Asked for every signal and block there is, at each decision. */
function namesItself(selector: SelectorFields, subject: SelectorSubject): boolean {
  let names = false
  for (const field of SELECTOR_FIELDS) {
    if (selector[field] === undefined) continue
    if (!matchesField(selector, subject, field)) return false
    names = true
  }
  return names
}

function matchesField(selector: SelectorFields, subject: SelectorSubject, field: SelectorField) {
  if (selector[field] === subject[field]) return true
  return field === 'task' && (subject.ancestors ?? []).includes(selector.task ?? '')
}
