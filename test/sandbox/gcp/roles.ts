/**
 * What a few predefined roles permit on Cloud Storage, from Google's role reference; the sandbox's
 * own table, so that it judges the broker's knowledge instead of sharing it.
 */
const PERMISSIONS: Readonly<Record<string, readonly string[]>> = {
  'roles/storage.legacyObjectReader': ['storage.objects.get'],
  'roles/storage.legacyBucketReader': ['storage.buckets.get', 'storage.objects.list'],
  'roles/storage.objectViewer': [
    'storage.objects.get',
    'storage.objects.list',
    'storage.managedFolders.get',
    'storage.managedFolders.list',
  ],
  'roles/storage.objectCreator': ['storage.objects.create', 'storage.multipartUploads.create'],
  'roles/storage.objectUser': [
    'storage.objects.get',
    'storage.objects.list',
    'storage.objects.create',
    'storage.objects.delete',
    'storage.objects.update',
  ],
  'roles/storage.objectAdmin': [
    'storage.objects.get',
    'storage.objects.list',
    'storage.objects.create',
    'storage.objects.delete',
    'storage.objects.update',
    'storage.objects.getIamPolicy',
    'storage.objects.setIamPolicy',
  ],
  'roles/storage.admin': [
    'storage.buckets.get',
    'storage.buckets.list',
    'storage.buckets.update',
    'storage.buckets.setIamPolicy',
    'storage.objects.get',
    'storage.objects.list',
    'storage.objects.create',
    'storage.objects.delete',
    'storage.objects.update',
    'storage.objects.setIamPolicy',
  ],
}

export function rolePermits(role: string, permission: string): boolean {
  return PERMISSIONS[role]?.includes(permission) ?? false
}

export function knownRoles(): readonly string[] {
  return Object.keys(PERMISSIONS)
}

const SCOPE = 'https://www.googleapis.com/auth/'

/** Whether any of a token's OAuth scopes lets it reach this Cloud Storage permission. */
export function scopesPermit(scopes: readonly string[], permission: string): boolean {
  const reads = ['storage.objects.get', 'storage.objects.list', 'storage.buckets.get']
  const administers = /IamPolicy$/.test(permission)
  return scopes.some((scope) => {
    switch (scope) {
      case `${SCOPE}cloud-platform`:
      case `${SCOPE}devstorage.full_control`:
        return true
      case `${SCOPE}devstorage.read_write`:
        return !administers
      case `${SCOPE}devstorage.read_only`:
      case `${SCOPE}cloud-platform.read-only`:
        return reads.includes(permission)
      default:
        return false
    }
  })
}
