import { randomBytes } from 'node:crypto'
import type { Answer } from '../faults.ts'
import { fingerprint } from '../ledger.ts'
import { newAwsId, type Role, type Session } from './account.ts'
import { authorize, authorizeByTrust, type Call, recordUse, stillWorks } from './caller.ts'
import { MalformedPolicy, parsePolicy, type Statement } from './policy-document.ts'
import { AwsError, element, queryAnswer } from './wire.ts'

const NAME = /^[\w+=,.@-]{2,64}$/
const EXTERNAL_ID = /^[\w+=,.@:/-]{2,1224}$/
const TAG_KEY = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u
const TAG_VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u
const SESSION_POLICY_CHARACTERS = 2048
const TOKEN_BYTES = 4096
const CHAINED_SECONDS = 3600

export const stsOperations: Record<string, (call: Call, form: URLSearchParams) => Answer> = {
  AssumeRole: assumeRole,
  GetCallerIdentity: getCallerIdentity,
  GetAccessKeyInfo: getAccessKeyInfo,
}

/** What a lying STS says: credentials that exist nowhere. */
export function pretendSts(operation: string, form: URLSearchParams, now: number): Answer {
  if (operation !== 'AssumeRole') return queryAnswer('sts', operation, '')
  const seconds = Number(form.get('DurationSeconds') ?? 3600)
  const credentials = credentialsXml({
    accessKeyId: newAwsId('ASIA'),
    secretAccessKey: randomBytes(30).toString('base64'),
    token: newToken(),
    expiresAt: now + seconds * 1000,
  })
  return queryAnswer('sts', operation, credentials)
}

function getCallerIdentity(call: Call): Answer {
  const { principal, account } = call
  const id = principal.kind === 'session' ? `${principal.role.id}:${principal.name}` : principal.id
  recordUse(call, 'sts:GetCallerIdentity', { allowed: true, reason: 'cannot be denied' })
  return queryAnswer(
    'sts',
    'GetCallerIdentity',
    element('Arn', principal.arn) + element('UserId', id) + element('Account', account.id),
  )
}

/** Unlike GetCallerIdentity it needs a permission, and so can be denied. */
function getAccessKeyInfo(call: Call): Answer {
  authorize(call, { action: 'sts:GetAccessKeyInfo', resource: '*' })
  return queryAnswer('sts', 'GetAccessKeyInfo', element('Account', call.account.id))
}

function assumeRole(call: Call, form: URLSearchParams): Answer {
  const { account, principal, now } = call
  const name = required(form, 'RoleSessionName', NAME)
  const roleArn = required(form, 'RoleArn', /^.{20,2048}$/)
  const sourceIdentity = optional(form, 'SourceIdentity', NAME)
  const externalId = optional(form, 'ExternalId', EXTERNAL_ID)
  if (sourceIdentity?.startsWith('aws:')) throw invalid('SourceIdentity must not start with aws:')
  const tags = readTags(form)
  const transitive = numbered(form, 'TransitiveTagKeys.member')
  const policy = readPolicy(form.get('Policy'))
  const role = [...account.roles.values()].find((candidate) => candidate.arn === roleArn)
  const inherited = principal.kind === 'session' ? principal : undefined
  if (inherited?.sourceIdentity && sourceIdentity && inherited.sourceIdentity !== sourceIdentity) {
    throw new AwsError('AccessDenied', 403, 'SourceIdentity cannot be changed')
  }
  const resource = role?.arn ?? roleArn
  const keys = {
    'sts:ExternalId': externalId,
    'sts:RoleSessionName': name,
    'sts:SourceIdentity': sourceIdentity,
    'aws:TagKeys': [...tags.keys()],
    'sts:TransitiveTagKeys': transitive,
    ...Object.fromEntries([...tags].map(([key, value]) => [`aws:RequestTag/${key}`, value])),
  }
  const resourcePolicy = (role?.trust ?? []).map((s) => ({ ...s, resources: ['*'] }))
  const needed = [
    'sts:AssumeRole',
    ...((sourceIdentity ?? inherited?.sourceIdentity) ? ['sts:SetSourceIdentity'] : []),
    ...(tags.size > 0 ? ['sts:TagSession'] : []),
  ]
  for (const action of needed) authorizeByTrust(call, { action, resource, keys, resourcePolicy })
  if (!role) throw new AwsError('AccessDenied', 403, `not authorized to assume ${roleArn}`)
  const seconds = readDuration(form, role, inherited !== undefined)
  const kept = (inherited?.transitiveTags ?? []).map(
    (key) => [key, inherited?.tags.get(key) ?? ''] as const,
  )
  const session: Session = {
    kind: 'session',
    role,
    name,
    arn: `arn:aws:sts::${account.id}:assumed-role/${role.name}/${name}`,
    accessKeyId: newAwsId('ASIA'),
    secretAccessKey: randomBytes(30).toString('base64'),
    token: newToken(),
    issuedAt: now,
    expiresAt: Math.floor(now / 1000) * 1000 + seconds * 1000,
    policy,
    sourceIdentity: sourceIdentity ?? inherited?.sourceIdentity,
    tags: new Map([...tags, ...kept]),
    transitiveTags: [...new Set([...transitive, ...kept.map(([key]) => key)])],
  }
  remember(call, session)
  return assumeRoleAnswer(session, form)
}

function remember(call: Call, session: Session): void {
  const { account, clock } = call
  account.sessions.set(session.accessKeyId, session)
  call.ledger.mint({
    upstream: 'aws',
    fingerprint: fingerprint(session.secretAccessKey),
    name: session.sourceIdentity,
    at: call.now,
    nativeExpiresAt: session.expiresAt,
    works: () => stillWorks({ ...call, principal: session, now: clock() }),
  })
}

function assumeRoleAnswer(session: Session, form: URLSearchParams): Answer {
  const size = session.token.length
  const percent = Math.ceil((((form.get('Policy') ?? '').length + 300) / TOKEN_BYTES) * 100)
  const user =
    element('AssumedRoleId', `${session.role.id}:${session.name}`) + element('Arn', session.arn)
  return queryAnswer(
    'sts',
    'AssumeRole',
    credentialsXml(session) +
      `<AssumedRoleUser>${user}</AssumedRoleUser>` +
      element('PackedPolicySize', percent) +
      element('SessionTokenUtilization', percent) +
      element('SessionTokenSize', size) +
      (session.sourceIdentity ? element('SourceIdentity', session.sourceIdentity) : ''),
  )
}

function credentialsXml(
  from: Pick<Session, 'accessKeyId' | 'secretAccessKey' | 'token' | 'expiresAt'>,
): string {
  const fields =
    element('AccessKeyId', from.accessKeyId) +
    element('SecretAccessKey', from.secretAccessKey) +
    element('SessionToken', from.token) +
    element('Expiration', new Date(from.expiresAt).toISOString())
  return `<Credentials>${fields}</Credentials>`
}

function readDuration(form: URLSearchParams, role: Role, chained: boolean): number {
  const seconds = Number(form.get('DurationSeconds') ?? 3600)
  if (!Number.isInteger(seconds) || seconds < 900 || seconds > 43_200) {
    throw invalid(`Value '${seconds}' at 'durationSeconds' must be between 900 and 43200`)
  }
  const most = chained ? Math.min(CHAINED_SECONDS, role.maxSessionSeconds) : role.maxSessionSeconds
  if (seconds > most) {
    throw invalid('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.')
  }
  return seconds
}

function readPolicy(text: string | null): readonly Statement[] | undefined {
  if (text === null) return undefined
  if (!/^[\t\n\r\u0020-\u00ff]+$/.test(text)) throw invalid('Policy holds characters not allowed')
  if (text.length > SESSION_POLICY_CHARACTERS) {
    throw new AwsError('PackedPolicyTooLarge', 400, 'Packed policy exceeds the maximum size')
  }
  try {
    return parsePolicy(text, 'identity')
  } catch (error) {
    if (error instanceof MalformedPolicy) {
      throw new AwsError('MalformedPolicyDocument', 400, error.message)
    }
    throw error
  }
}

function readTags(form: URLSearchParams): Map<string, string> {
  const tags = new Map<string, string>()
  for (let i = 1; form.has(`Tags.member.${i}.Key`); i++) {
    const key = form.get(`Tags.member.${i}.Key`) ?? ''
    const value = form.get(`Tags.member.${i}.Value`) ?? ''
    if (!TAG_KEY.test(key) || !TAG_VALUE.test(value)) throw invalid(`tag ${key} is malformed`)
    tags.set(key, value)
  }
  if (tags.size > 50) throw invalid('more than 50 tags')
  return tags
}

function required(form: URLSearchParams, name: string, pattern: RegExp): string {
  const value = optional(form, name, pattern)
  if (value === undefined) throw invalid(`${name} is required`)
  return value
}

function optional(form: URLSearchParams, name: string, pattern: RegExp): string | undefined {
  const value = form.get(name)
  if (value === null) return undefined
  if (!pattern.test(value)) throw invalid(`Value '${value}' at '${name}' failed to satisfy pattern`)
  return value
}

function numbered(form: URLSearchParams, prefix: string): string[] {
  const values: string[] = []
  for (let i = 1; form.has(`${prefix}.${i}`); i++) values.push(form.get(`${prefix}.${i}`) ?? '')
  return values
}

/** Random characters of the length real session tokens have today. */
function newToken(): string {
  return randomBytes(600).toString('base64')
}

function invalid(message: string): AwsError {
  return new AwsError('ValidationError', 400, message)
}
