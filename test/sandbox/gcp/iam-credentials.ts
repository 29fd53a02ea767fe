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
  const wish = wishOf(bodyOf(call))
  if (typeof wish === 'string') return googleError(400, wish)
  if (!isChain(call, [...wish.delegates, account.email])) {
    return googleError(403, "Permission 'iam.serviceAccounts.getAccessToken' denied on resource")
  }
  if (world.switchedOff(account)) {
    return googleError(400, 'service account is disabled', 'FAILED_PRECONDITION')
  }
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

/**
 * The caller may make tokens of the first, each of these of the next; who only has to pass it on
 * needs `implicitDelegation`, which the token creator's role holds, too. A disabled one breaks it.
 */
function isChain({ world, bearer }: Call, [first = '', ...rest]: readonly string[]): boolean {
  const permission =
    rest.length === 0
      ? 'iam.serviceAccounts.getAccessToken'
      : 'iam.serviceAccounts.implicitDelegation'
  if (!world.mayOnAccount(bearer, permission, first)) return false
  let at = world.account(first)
  for (const next of rest) {
    if (!at || world.switchedOff(at) || !at.mayActAs.has(next)) return false
    at = world.account(next)
  }
  return at !== undefined
}

const DELEGATE = /^projects\/-\/serviceAccounts\/(.+)$/

function wishOf(body: Readonly<Record<string, unknown>> | undefined) {
  if (!body) return 'the body must be a JSON object'
  const { scope, lifetime = `${LONGEST_SECONDS}s`, delegates = [] } = body
  if (!Array.isArray(scope) || scope.length === 0) return 'scope: at least one is required'
  if (!Array.isArray(delegates)) return 'delegates: must be a list'
  const names = delegates.map((one) => DELEGATE.exec(String(one))?.[1])
  const known = names.filter((one) => one !== undefined)
  if (known.length < names.length) return 'delegates: must be projects/-/serviceAccounts/EMAIL'
  const seconds = Number(/^(\d+)s$/.exec(String(lifetime))?.[1] ?? Number.NaN)
  if (!(seconds >= SHORTEST_SECONDS && seconds <= LONGEST_SECONDS)) {
    return `lifetime: must be between ${SHORTEST_SECONDS}s and ${LONGEST_SECONDS}s`
  }
  return { scopes: scope.map(String), seconds, delegates: known }
}
