import type { IntentItem } from '../../src/model/intent.ts'
import { type Action, parseAction } from './action.ts'
import { parseLocation } from './location.ts'

/** Roles on Cloud Storage that surely create no object. */
const NEVER_CREATING = new Set([
  'roles/storage.legacyObjectReader',
  'roles/storage.legacyBucketReader',
  'roles/storage.objectViewer',
])
const MAKES_CREDENTIALS =
  /^(?:iam\.serviceAccountKeys\.create|iam\.serviceAccounts\.(?:getAccessToken|getOpenIdToken|signBlob|signJwt|implicitDelegation|actAs)|storage\.hmacKeys\.create|apikeys\.keys\.create)$/

/**
 * What outlives the token. `gcs-resumable-upload`: the URI of a resumable upload begun with the
 * token needs no further authentication and lives up to a week
 * (https://cloud.google.com/storage/docs/resumable-uploads#session-uris).
 * `derived-credentials`: keys, tokens or signatures made with it.
 */
export function residualsOf(intent: readonly IntentItem[]): readonly string[] {
  const found = new Set<string>()
  for (const item of intent) {
    const storage = item.locations.some(inCloudStorage)
    for (const text of item.actions) {
      const action = parseAction(text)
      if (!action) continue
      if (storage && mayCreateObjects(action)) found.add('gcs-resumable-upload')
      if (mayMakeCredentials(action, item)) found.add('derived-credentials')
    }
  }
  return [...found].sort()
}

function mayCreateObjects(action: Action): boolean {
  if (action.kind === 'role') return !NEVER_CREATING.has(action.role)
  return action.kind === 'scope' || action.permission === 'storage.objects.create'
}

/** A boundary reaches Cloud Storage only, so a role there makes no credentials. */
function mayMakeCredentials(action: Action, item: IntentItem): boolean {
  if (action.kind === 'permission') return MAKES_CREDENTIALS.test(action.permission)
  if (action.kind === 'scope') return action.scope.includes('/cloud-platform')
  return !item.locations.every(inCloudStorage)
}

function inCloudStorage(text: string): boolean {
  const location = parseLocation(text)
  return typeof location !== 'string' && location.kind === 'objects'
}
