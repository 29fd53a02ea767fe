import type { Answer } from '../faults.ts'
import { bodyOf, type Call, googleError, json, type Route } from './request.ts'
import type { ServiceAccount, World } from './world.ts'

const BASE = '^/v1/projects/[^/]+/serviceAccounts/([^/:]+)'

/** IAM v1, as far as service accounts are looked at and switched on and off. */
export const iamRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: new RegExp(`${BASE}$`),
    operation: 'getServiceAccount',
    perform: (call) =>
      onAccount(call, 'iam.serviceAccounts.get', (account) => json(200, view(call.world, account))),
  },
  {
    method: 'POST',
    path: new RegExp(`${BASE}:disable$`),
    operation: 'disable',
    perform: (call) =>
      onAccount(call, 'iam.serviceAccounts.disable', (account) => {
        call.world.setDisabled(account, true)
        return json(200, {})
      }),
    pretend: () => json(200, {}),
  },
  {
    method: 'POST',
    path: new RegExp(`${BASE}:enable$`),
    operation: 'enable',
    perform: (call) =>
      onAccount(call, 'iam.serviceAccounts.enable', (account) => {
        call.world.setDisabled(account, false)
        return json(200, {})
      }),
    pretend: () => json(200, {}),
  },
  {
    method: 'POST',
    path: new RegExp(`${BASE}:testIamPermissions$`),
    operation: 'testIamPermissions',
    perform: testIamPermissions,
  },
  {
    method: 'POST',
    path: new RegExp(`${BASE}:getIamPolicy$`),
    operation: 'getIamPolicy',
    perform: (call) =>
      onAccount(call, 'iam.serviceAccounts.getIamPolicy', () =>
        json(200, { version: 1, etag: 'ACAB', bindings: [] }),
      ),
  },
]

function onAccount(
  call: Call,
  permission: string,
  perform: (account: ServiceAccount) => Answer,
): Answer {
  const { world, params } = call
  if (!world.knows(call.bearer)) return googleError(401, 'invalid authentication credentials')
  const account = world.account(params[0] ?? '')
  if (!account) return googleError(404, `Unknown service account ${params[0]}`)
  if (!world.mayOnAccount(call.bearer, permission, account.email)) {
    return googleError(403, `Permission '${permission}' denied on resource`)
  }
  return perform(account)
}

/** Every caller may ask what it may do; what it may not is left out of the answer. */
function testIamPermissions(call: Call): Answer {
  const { world } = call
  if (!world.knows(call.bearer)) return googleError(401, 'invalid authentication credentials')
  const account = world.account(call.params[0] ?? '')
  if (!account) return googleError(404, `Unknown service account ${call.params[0]}`)
  const asked = bodyOf(call)?.permissions
  if (!Array.isArray(asked)) return googleError(400, 'permissions: a list is required')
  const held = asked
    .map(String)
    .filter((permission) => world.mayOnAccount(call.bearer, permission, account.email))
  return json(200, held.length > 0 ? { permissions: held } : {})
}

function view(world: World, account: ServiceAccount) {
  const project = /@([^.]+)\./.exec(account.email)?.[1] ?? '-'
  return {
    name: `projects/${project}/serviceAccounts/${account.email}`,
    projectId: project,
    uniqueId: account.uniqueId,
    email: account.email,
    oauth2ClientId: account.uniqueId,
    ...(world.isDisabled(account) ? { disabled: true } : {}),
  }
}
