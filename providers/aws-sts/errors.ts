import { UpstreamError } from '../../src/provider.ts'

/** Answers that prove STS minted nothing and IAM changed nothing, with what to do about each. */
const REFUSALS: Readonly<Record<string, string>> = {
  AccessDenied:
    'check the identity’s policy, the role’s trust policy (sts:AssumeRole, sts:SetSourceIdentity, sts:TagSession) and its sts:ExternalId',
  MalformedPolicyDocument: 'a name in the intent is not one IAM knows; check actions and ARNs',
  PackedPolicyTooLarge: 'name fewer or shorter actions and locations, or shorten agent and tenant',
  RegionDisabled: 'enable the region in the account, or configure another',
  ValidationError: 'a name, number or document is not as AWS takes it',
  ExpiredToken: 'the configured credentials have expired; renew them',
  InvalidClientTokenId: 'the configured access key does not exist in this partition',
  UnrecognizedClient: 'the configured access key does not exist in this partition',
  SignatureDoesNotMatch: 'the secret key does not fit the access key, or the clock is off',
  IncompleteSignature: 'the configured credentials are not complete',
  MissingAuthenticationToken: 'no credentials were sent; configure some',
  OptInRequired: 'the account is not subscribed to the service',
  Throttling: 'ask for a higher quota, or for fewer credentials at once',
  TooManyRequests: 'ask for a higher quota, or for fewer credentials at once',
  RequestLimitExceeded: 'ask for a higher quota, or for fewer credentials at once',
  NoSuchEntity: 'the role or policy does not exist',
  LimitExceeded: 'the role’s inline policies are full; use managed policies for permissions',
  UnmodifiableEntity: 'a service-linked role cannot be changed; use a role of your own',
  InvalidAction: 'the endpoint does not know this call',
}

/** IAM and STS say so without saying for how long. */
const THROTTLED = new Set(['Throttling', 'TooManyRequests', 'RequestLimitExceeded'])

/** What is not valid of an AssumeRole is its duration: everything else was checked before. */
const TOO_LONG =
  'check the lifetime against the role’s MaxSessionDuration (an hour at most for a role that assumes)'

/**
 * Any failure of an AWS client as an `UpstreamError`: `refused` for the listed answers, `unknown`
 * for everything else. Nothing of the client's error but its name and status is kept.
 */
export function upstreamError(error: unknown, operation: string): UpstreamError {
  if (error instanceof UpstreamError) return error
  const { code, status } = nameOf(error)
  if (code === 'CredentialsProvider') {
    return new UpstreamError('refused', `${operation} was not sent: no AWS credentials found`, code)
  }
  const fix =
    code === 'ValidationError' && operation.startsWith('AssumeRole') ? TOO_LONG : REFUSALS[code]
  if (fix !== undefined && status >= 400 && status < 500) {
    return new UpstreamError(
      'refused',
      `aws refused ${operation}: ${code} (${status}); ${fix}`,
      code,
      THROTTLED.has(code) ? 0 : undefined,
    )
  }
  const seen = status > 0 ? `${code} (${status})` : code
  return new UpstreamError('unknown', `${operation} has no known outcome: ${seen}`, code)
}

/** `MalformedPolicyDocumentException` and `MalformedPolicyDocument` are the same. */
function nameOf(error: unknown): { code: string; status: number } {
  if (!(error instanceof Error)) return { code: 'unreadable answer', status: 0 }
  const metadata: unknown = '$metadata' in error ? error.$metadata : undefined
  const status =
    typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
      ? Number(metadata.httpStatusCode) || 0
      : 0
  if ('code' in error && typeof error.code === 'string' && /^E[A-Z_]{2,32}$/.test(error.code)) {
    return { code: error.code, status: 0 }
  }
  const code = error.name.replace(/(?:Exception|Error|Fault)$/, '')
  if (error.name === 'ValidationError') return { code: 'ValidationError', status }
  // Letters only, as AWS names its errors: whatever else an endpoint says could be a secret.
  return { code: /^[A-Z][A-Za-z]{2,63}$/.test(code) ? code : 'unreadable answer', status }
}
