import { bodyOf, type Call, googleError, json, type Route, reasonOf } from './request.ts'

const SHORTEST_SECONDS = 300
const LONGEST_SECONDS = 3_600

/** IAM Credentials v1: `generateAccessToken`. */
export const iamCredentialsRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: /^\/v1\/projects\/([^/]+)\/serviceAccounts\/([^/:]+):generateAccessToken$/,
    operation: 'generateAccessToken',
    perform: generateAccessToken,
    pretend: (call) =>
      json(200, {
        accessToken: 'ya29.never-minted',
        expireTime: new Date(call.world.now() + SHORTEST_SECONDS * 1_000).toISOString(),
      }),
  },
]

function generateAccessToken(call: Call) {
  const [project, key = ''] = call.params
  const { world } = call
  if (!world.knows(call.bearer)) return googleError(401, 'invalid authentication credentials')
  if (project !== '-') return googleError(400, 'the project must be the wildcard -')
  const account = world.account(key)
  if (!account) return googleError(404, 'Not found; Gaia id not found for email')
  if (!world.mayOnAccount(call.bearer, 'iam.serviceAccounts.getAccessToken', account.email)) {
    return googleError(403, "Permission 'iam.serviceAccounts.getAccessToken' denied on resource")
  }
  if (world.switchedOff(account)) {
    return googleError(400, 'service account is disabled', 'FAILED_PRECONDITION')
  }
  const wish = wishOf(bodyOf(call))
  if (typeof wish === 'string') return googleError(400, wish)
  const expiresAt = world.now() + wish.seconds * 1_000
  const token = world.mint({
    account,
    scopes: wish.scopes,
    expiresAt,
    name: reasonOf(call),
    boundary: null,
  })
  return json(200, { accessToken: token.value, expireTime: new Date(expiresAt).toISOString() })
}

function wishOf(body: Readonly<Record<string, unknown>> | undefined) {
  if (!body) return 'the body must be a JSON object'
  const { scope, lifetime = `${LONGEST_SECONDS}s`, delegates = [] } = body
  if (!Array.isArray(scope) || scope.length === 0) return 'scope: at least one is required'
  if (!Array.isArray(delegates) || delegates.length > 0) return 'delegates: none are known here'
  const seconds = Number(/^(\d+)s$/.exec(String(lifetime))?.[1] ?? Number.NaN)
  if (!(seconds >= SHORTEST_SECONDS && seconds <= LONGEST_SECONDS)) {
    return `lifetime: must be between ${SHORTEST_SECONDS}s and ${LONGEST_SECONDS}s`
  }
  return { scopes: scope.map(String), seconds }
}
