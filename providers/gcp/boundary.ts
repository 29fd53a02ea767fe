import { z } from 'zod'
import type { IntentItem } from '../../src/model/intent.ts'
import { parseAction, ROLE_OF_ONE_PERMISSION } from './action.ts'
import { type Location, parseLocation } from './location.ts'

/**
 * A Credential Access Boundary, as `POST sts.googleapis.com/v1/token` takes it in `options`.
 * https://cloud.google.com/iam/docs/downscoping-short-lived-credentials
 */
export const boundary = z.strictObject({
  accessBoundary: z.strictObject({
    accessBoundaryRules: z
      .array(
        z.strictObject({
          availableResource: z.string(),
          availablePermissions: z.array(z.string()).min(1),
          availabilityCondition: z.strictObject({ expression: z.string() }).optional(),
        }),
      )
      .min(1)
      .max(10),
  }),
})
export type Boundary = z.infer<typeof boundary>
type Rule = Boundary['accessBoundary']['accessBoundaryRules'][number]

const RULE_LIMIT = 10
/** The reference gives the same limit to conditions of IAM policies and of boundaries. */
const CONDITION_LIMIT = 2_048
/** What stands in a CEL string for itself, whatever the escaping rules: no quote, no backslash. */
const PLAIN = /^[\x20-\x26\x28-\x5b\x5d-\x7e]*$/

const RESOURCE = '//storage.googleapis.com/projects/_/buckets/'

/** One of the buckets it lets into. */
export function bucketOf({ accessBoundary }: Boundary): string | undefined {
  return accessBoundary.accessBoundaryRules[0]?.availableResource.slice(RESOURCE.length)
}

/**
 * Compiles Cloud Storage items into rules whose union is exactly what the items say. Each item
 * becomes one rule for each of its locations, so the cross product of different items never mixes.
 */
export function compileBoundary(items: readonly IntentItem[]): Boundary | string {
  const rules = new Map<string, Rule>()
  for (const item of items) {
    for (const text of item.locations) {
      const location = parseLocation(text)
      if (typeof location === 'string') return `${text} ${location}`
      if (location.kind !== 'objects') return `${text} is not in Cloud Storage`
      for (const action of item.actions) {
        const rule = ruleOf(action, location)
        if (typeof rule === 'string') return rule
        merge(rules, rule)
      }
    }
  }
  if (rules.size > RULE_LIMIT) {
    return `it needs ${rules.size} access boundary rules where ${RULE_LIMIT} are possible: ask for fewer locations`
  }
  return { accessBoundary: { accessBoundaryRules: [...rules.values()] } }
}

function ruleOf(text: string, location: Location & { kind: 'objects' }): Rule | string {
  const role = roleOf(text)
  if (role === undefined) {
    return `${text} cannot be named in an access boundary, which knows only roles: ask for a role, like inRole:roles/storage.objectViewer`
  }
  if (!PLAIN.test(location.name)) {
    return `the object name ${JSON.stringify(location.name)} cannot be written into an access boundary: only printable ASCII without ' and \\`
  }
  const rule = {
    availableResource: `${RESOURCE}${location.bucket}`,
    availablePermissions: [`inRole:${role}`],
  }
  const expression = conditionOf(location)
  if (expression === undefined) return rule
  if (expression.length > CONDITION_LIMIT) return `${location.name} is too long for a condition`
  return { ...rule, availabilityCondition: { expression } }
}

function roleOf(text: string): string | undefined {
  const action = parseAction(text)
  if (action?.kind === 'role') return action.role
  return action?.kind === 'permission' ? ROLE_OF_ONE_PERMISSION[action.permission] : undefined
}

/**
 * A listing is a request on the bucket, so a prefix needs both halves: one for requests on objects,
 * one for listings by prefix. The attribute is absent, thus empty, in every other request, so the
 * second half lets nothing else through: its text is never empty. All of a bucket needs no
 * condition; a single object cannot be listed for.
 */
function conditionOf(location: Location & { kind: 'objects' }): string | undefined {
  if (location.open && location.name === '') return undefined
  const name = `projects/_/buckets/${location.bucket}/objects/${location.name}`
  if (!location.open) return `resource.name == '${name}'`
  return (
    `resource.name.startsWith('${name}') || ` +
    `api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('${location.name}')`
  )
}

/** Rules of one bucket and condition are one rule with several roles. */
function merge(rules: Map<string, Rule>, rule: Rule): void {
  const key = `${rule.availableResource} ${rule.availabilityCondition?.expression ?? ''}`
  const before = rules.get(key)?.availablePermissions ?? []
  const availablePermissions = [...new Set([...before, ...rule.availablePermissions])]
  rules.set(key, { ...rule, availablePermissions })
}
