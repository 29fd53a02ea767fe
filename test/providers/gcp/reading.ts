/**
 * A second, independent reading of what gcp intent items mean, by the sandbox's role table and
 * plain globbing: the judge in property tests.
 */
import fc from 'fast-check'
import type { IntentItem } from '../../../src/model/intent.ts'
import type { StorageAccess } from '../../sandbox/gcp/boundary.ts'
import { knownRoles, rolePermits } from '../../sandbox/gcp/roles.ts'

const PERMISSIONS = [
  'storage.objects.get',
  'storage.objects.list',
  'storage.objects.create',
  'storage.objects.delete',
  'storage.buckets.get',
  'storage.buckets.setIamPolicy',
] as const
const BUCKETS = ['tickets', 'tickets-2'] as const

/** Names that collide a lot, and some that try to break out of a condition. */
const anyName = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 4 }),
  fc.constantFrom("a'", 'a\\', "a') || resource.name.startsWith('", 'a"', 'ä', 'a b', 'objects/a'),
)

export const anyLocation = fc
  .tuple(fc.constantFrom(...BUCKETS), anyName, fc.boolean())
  .filter(([, name, open]) => open || name !== '')
  .map(([bucket, name, open]) => `gs://${bucket}/${name}${open ? '*' : ''}`)

export const anyAction = fc.oneof(
  fc.constantFrom(...PERMISSIONS),
  fc.constantFrom(...knownRoles()).map((role) => `inRole:${role}`),
)

/** Actions that a boundary can name, and now and then one that it cannot. */
const anyBoundaryAction = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...knownRoles()).map((role) => `inRole:${role}`) },
  { weight: 4, arbitrary: fc.constant('storage.objects.get') },
  { weight: 1, arbitrary: anyAction },
)

/** Two grants of which the second is often, but not always, inside the first. */
export const anyPair = fc
  .record({
    ceiling: fc.record({ action: anyAction, place: anyLocation }),
    other: fc.record({ action: anyAction, place: anyLocation }),
    sameAction: fc.boolean(),
    suffix: fc.option(anyName),
  })
  .map(({ ceiling, other, sameAction, suffix }) => ({
    ceiling,
    request: {
      action: sameAction ? ceiling.action : other.action,
      place: suffix === null ? other.place : ceiling.place.replace(/\*?$/, `${suffix}*`),
    },
  }))

export const anyIntent: fc.Arbitrary<IntentItem[]> = fc.array(
  fc.record({
    type: fc.constant('gcp'),
    actions: fc.array(anyBoundaryAction, { minLength: 1, maxLength: 3 }),
    locations: fc.array(anyLocation, { minLength: 1, maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 3 },
)

/** Requests of every kind around the names in these locations. */
export function accessesOf(...places: readonly string[]): StorageAccess[] {
  const stems = places.map((place) => place.replace(/^gs:\/\/[^/]+\//, '').replace(/\*$/, ''))
  const names = new Set(['a', 'b', 'zzz'])
  for (const stem of stems) {
    for (const near of [stem, `${stem}a`, `${stem}/`, stem.slice(0, -1), `b${stem}`])
      names.add(near)
  }
  const accesses: StorageAccess[] = []
  for (const bucket of BUCKETS) {
    accesses.push({ permission: 'storage.buckets.get', bucket })
    accesses.push({ permission: 'storage.buckets.setIamPolicy', bucket })
    for (const name of names) {
      accesses.push({ permission: 'storage.objects.list', bucket, listPrefix: name })
      if (name === '') continue
      for (const verb of ['get', 'create', 'delete']) {
        accesses.push({ permission: `storage.objects.${verb}`, bucket, object: name })
      }
    }
  }
  return accesses
}

/** Whether these items allow this request, read word by word. */
export function allows(items: readonly IntentItem[], access: StorageAccess): boolean {
  return items.some(
    (item) =>
      item.actions.some((action) => permits(action, access.permission)) &&
      item.locations.some((place) => within(place, access)),
  )
}

function permits(action: string, permission: string): boolean {
  if (!action.startsWith('inRole:')) return action === permission
  return rolePermits(action.slice('inRole:'.length), permission)
}

function within(place: string, access: StorageAccess): boolean {
  const wholeBucket = place === `gs://${access.bucket}/*`
  if (wholeBucket) return true
  const isListing = access.permission === 'storage.objects.list'
  if (isListing && !place.endsWith('*')) return false
  const named = isListing ? access.listPrefix : access.object
  if (named === undefined) return false
  const subject = `gs://${access.bucket}/${named}`
  return place.endsWith('*') ? subject.indexOf(place.slice(0, -1)) === 0 : subject === place
}
