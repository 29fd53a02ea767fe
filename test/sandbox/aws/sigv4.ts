import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Account, Principal } from './account.ts'
import { AwsError, type Service } from './wire.ts'

export interface SignedRequest {
  readonly method: string
  readonly path: string
  /** The query as sent, without `?`. */
  readonly query: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** What the signature claims, before it is checked. */
interface Claim {
  readonly accessKeyId: string
  readonly scope: readonly [date: string, region: string, service: string]
  readonly signedHeaders: readonly string[]
  readonly signature: string
  readonly date: string
  readonly token: string | undefined
  readonly validSeconds: number
  readonly presigned: boolean
}

const FRESH_SECONDS = 15 * 60

/** The service and region a request is signed for; undefined where it is not signed at all. */
export function signedFor(
  request: SignedRequest,
): { service: Service; region: string } | undefined {
  const claim = readClaim(request)
  const service = claim?.scope[2]
  if (service !== 'sts' && service !== 'iam' && service !== 's3') return undefined
  return { service, region: claim?.scope[1] ?? '' }
}

/** Signature Version 4 (header and presigned form): resolves the caller or refuses as AWS does. */
export function authenticate(
  request: SignedRequest,
  account: Account,
  clock: { now: number; checkFreshness: boolean },
): Principal {
  const claim = readClaim(request)
  const service = claim?.scope[2]
  if (!claim)
    throw new AwsError('MissingAuthenticationToken', 403, 'Request is missing a signature')
  const principal = account.byAccessKey(claim.accessKeyId)
  if (!principal) {
    const code = service === 's3' ? 'InvalidAccessKeyId' : 'InvalidClientTokenId'
    throw new AwsError(code, 403, 'The security token included in the request is invalid')
  }
  const token = principal.kind === 'session' ? principal.token : undefined
  if (claim.token !== token) {
    const s3 = service === 's3'
    throw new AwsError(s3 ? 'InvalidToken' : 'InvalidClientTokenId', s3 ? 400 : 403, 'bad token')
  }
  const expected = sign(request, claim, principal.secretAccessKey)
  if (!equal(expected, claim.signature)) {
    throw new AwsError('SignatureDoesNotMatch', 403, 'The request signature does not match')
  }
  checkDates(claim, clock)
  if (principal.kind === 'session' && clock.now >= principal.expiresAt) {
    const status = service === 's3' ? 400 : 403
    throw new AwsError(
      'ExpiredToken',
      status,
      'The security token included in the request is expired',
    )
  }
  return principal
}

function readClaim(request: SignedRequest): Claim | undefined {
  const header = request.headers.authorization
  const query = new Map(pairs(request.query))
  const form = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)$/
  const match = header === undefined ? undefined : form.exec(header)
  const credential = (match?.[1] ?? query.get('X-Amz-Credential') ?? '').split('/')
  const [accessKeyId, date, region, service, end] = credential
  if (!accessKeyId || !date || !region || !service || end !== 'aws4_request') return undefined
  return {
    accessKeyId,
    scope: [date, region, service],
    signedHeaders: (match?.[2] ?? query.get('X-Amz-SignedHeaders') ?? '').split(';'),
    signature: match?.[3] ?? query.get('X-Amz-Signature') ?? '',
    date: String(match ? request.headers['x-amz-date'] : query.get('X-Amz-Date')),
    token: match
      ? request.headers['x-amz-security-token']?.toString()
      : query.get('X-Amz-Security-Token'),
    validSeconds: match ? FRESH_SECONDS : Number(query.get('X-Amz-Expires') ?? 0),
    presigned: !match,
  }
}

function checkDates(claim: Claim, clock: { now: number; checkFreshness: boolean }): void {
  if (!clock.checkFreshness) return
  const form = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
  const at = Date.parse(claim.date.replace(form, '$1-$2-$3T$4:$5:$6Z'))
  const age = (clock.now - at) / 1000
  if (!(age > -FRESH_SECONDS && age < claim.validSeconds)) {
    throw new AwsError('SignatureDoesNotMatch', 403, 'Signature expired or not yet current')
  }
}

function sign(request: SignedRequest, claim: Claim, secret: string): string {
  const [date, region, service] = claim.scope
  const scope = `${date}/${region}/${service}/aws4_request`
  const canonical = canonicalRequest(request, claim)
  const text = `AWS4-HMAC-SHA256\n${claim.date}\n${scope}\n${sha256(canonical)}`
  const key = [date, region, service, 'aws4_request'].reduce<string | Buffer>(
    (k, part) => hmac(k, part),
    `AWS4${secret}`,
  )
  return hmac(key, text).toString('hex')
}

function canonicalRequest(request: SignedRequest, claim: Claim): string {
  const query = pairs(request.query)
    .filter(([name]) => !(claim.presigned && name === 'X-Amz-Signature'))
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
  const headers = claim.signedHeaders
    .map(
      (name) =>
        `${name}:${String(request.headers[name] ?? '')
          .replace(/ +/g, ' ')
          .trim()}\n`,
    )
    .join('')
  const path = request.path.split('/').map((part) => encode(decodeURIComponent(part)))
  return [
    request.method,
    path.join('/'),
    query,
    headers,
    claim.signedHeaders.join(';'),
    payloadHash(request, claim),
  ].join('\n')
}

function payloadHash(request: SignedRequest, claim: Claim): string {
  const stated = request.headers['x-amz-content-sha256']?.toString()
  if (claim.presigned && claim.scope[2] === 's3') return 'UNSIGNED-PAYLOAD'
  if (stated === 'UNSIGNED-PAYLOAD' || stated?.startsWith('STREAMING-')) return stated
  return sha256(request.body)
}

/** The query's pairs, decoded, in order. */
export function pairs(query: string): [string, string][] {
  if (query === '') return []
  return query.split('&').map((pair) => {
    const at = pair.indexOf('=')
    const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
    return [decodeURIComponent(name), decodeURIComponent(value)]
  })
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function equal(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
