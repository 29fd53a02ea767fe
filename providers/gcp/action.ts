/** What an item's action is: one permission, all of a role, or an OAuth scope. */
export type Action =
  | { readonly kind: 'permission'; readonly permission: string }
  | { readonly kind: 'role'; readonly role: string }
  | { readonly kind: 'scope'; readonly scope: string }

const PERMISSION = /^[a-z][a-zA-Z0-9]*(?:\.[a-zA-Z][a-zA-Z0-9-]*){2,4}$/
const ROLE =
  /^(?:(?:projects\/[a-z][a-z0-9-]{4,28}[a-z0-9]|organizations\/\d+)\/)?roles\/[a-zA-Z0-9_.]{3,128}$/
const SCOPE = /^https:\/\/www\.googleapis\.com\/auth\/[a-z0-9._-]+$/

export function parseAction(text: string): Action | undefined {
  if (text.startsWith('inRole:')) {
    const role = text.slice('inRole:'.length)
    return ROLE.test(role) ? { kind: 'role', role } : undefined
  }
  if (SCOPE.test(text)) return { kind: 'scope', scope: text }
  return PERMISSION.test(text) ? { kind: 'permission', permission: text } : undefined
}

/**
 * Permissions that Google's role reference lists for these roles and that are their purpose, so
 * that they will not leave them. Far from complete: enough to let a ceiling of a role cover a
 * request for one of its permissions.
 */
const CERTAIN: Readonly<Record<string, readonly string[]>> = {
  'roles/storage.legacyObjectReader': ['storage.objects.get'],
  'roles/storage.objectViewer': ['storage.objects.get', 'storage.objects.list'],
  'roles/storage.objectCreator': ['storage.objects.create'],
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
  ],
}

export function roleSurelyPermits(role: string, permission: string): boolean {
  return CERTAIN[role]?.includes(permission) ?? false
}

/**
 * Roles that consist of exactly one permission, by which a boundary can name that permission:
 * `availablePermissions` takes only `inRole:` entries.
 */
export const ROLE_OF_ONE_PERMISSION: Readonly<Record<string, string>> = {
  'storage.objects.get': 'roles/storage.legacyObjectReader',
}
