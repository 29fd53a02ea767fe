import type { Impact } from '../../src/model/intent.ts'
import { type Action, parseAction } from './action.ts'
import { parseLocation } from './location.ts'

const EVERYTHING: readonly Impact[] = [
  'destructive-write',
  'credential-access',
  'bulk-read',
  'privilege-escalation',
]

/** Roles whose whole effect is known; every other role is taken for the worst. */
const ROLE_IMPACTS: Readonly<Record<string, readonly Impact[]>> = {
  'roles/storage.legacyObjectReader': [],
  'roles/storage.objectViewer': [],
  'roles/storage.objectCreator': [],
  'roles/storage.legacyBucketReader': [],
  'roles/storage.objectUser': ['destructive-write'],
  // It contains storage.objects.setIamPolicy: its holder can share objects with anyone.
  'roles/storage.objectAdmin': ['destructive-write', 'privilege-escalation'],
}
const READING_ROLES = new Set([
  'roles/storage.legacyObjectReader',
  'roles/storage.objectViewer',
  'roles/storage.objectUser',
  'roles/storage.objectAdmin',
])

const READS = /^(?:get|list|search|read|view|test|count|query|aggregatedList|export|access)/
/** Verbs that add something without changing or losing what is there. */
const ADDS = /^(?:create|publish|consume|attachSubscription|report)$/
const CREDENTIALS =
  /^(?:iam\.serviceAccountKeys\.|iam\.serviceAccounts\.(?:getAccessToken|getOpenIdToken|signBlob|signJwt|implicitDelegation|actAs)|secretmanager\.versions\.access|storage\.hmacKeys\.|apikeys\.|cloudkms\.cryptoKeyVersions\.useTo)/
const ESCALATES =
  /(?:\.setIamPolicy$|^iam\.(?:roles|denypolicies|serviceAccountKeys)\.(?!get|list)|^iam\.serviceAccounts\.(?:actAs|getAccessToken|getOpenIdToken|signBlob|signJwt|implicitDelegation)$|^resourcemanager\..*\.(?:create|update)$|^orgpolicy\..*\.set)/

/** What one action at one location puts at stake; what is not known counts as everything. */
export function impactAt(text: string, place: string): readonly Impact[] {
  const action = parseAction(text)
  if (!action) return EVERYTHING
  const impacts = new Set(ownImpact(action))
  if (readsObjects(action) && isWide(place)) impacts.add('bulk-read')
  return [...impacts]
}

function ownImpact(action: Action): readonly Impact[] {
  switch (action.kind) {
    case 'role':
      return ROLE_IMPACTS[action.role] ?? EVERYTHING
    case 'scope':
      return scopeImpact(action.scope)
    case 'permission':
      return permissionImpact(action.permission)
  }
}

function permissionImpact(permission: string): readonly Impact[] {
  const impacts: Impact[] = []
  const verb = permission.slice(permission.lastIndexOf('.') + 1)
  if (!READS.test(verb) && !ADDS.test(verb)) impacts.push('destructive-write')
  if (CREDENTIALS.test(permission)) impacts.push('credential-access')
  if (ESCALATES.test(permission)) impacts.push('privilege-escalation')
  return impacts
}

/** A scope reaches all that the account can; only read-only ones surely write nothing. */
function scopeImpact(scope: string): readonly Impact[] {
  const reading = /[._-]read-?_?only$/.test(scope)
  if (scope.includes('/cloud-platform'))
    return reading ? ['bulk-read', 'credential-access'] : EVERYTHING
  return reading ? ['bulk-read'] : ['destructive-write', 'bulk-read']
}

function readsObjects(action: Action): boolean {
  if (action.kind === 'role') return READING_ROLES.has(action.role)
  if (action.kind === 'scope') return false
  return READS.test(action.permission.slice(action.permission.lastIndexOf('.') + 1))
}

/** A whole bucket, or every resource of a service that begins like this. */
function isWide(place: string): boolean {
  const location = parseLocation(place)
  if (typeof location === 'string') return true
  return location.open && (location.kind === 'resource' || location.name === '')
}
