import { AssumeRoleCommand, type AssumeRoleCommandOutput } from '@aws-sdk/client-sts'
import type { Clock } from '../../src/clock.ts'
import { type Minted, type MintOrder, type ProviderLog, UpstreamError } from '../../src/provider.ts'
import { Secret } from '../../src/secret.ts'
import type { AwsClients } from './clients.ts'
import { compileScope, sessionPolicy } from './compile.ts'
import { upstreamError } from './errors.ts'
import {
  type AwsSettings,
  type AwsTarget,
  maxSessionSeconds,
  NATIVE_FLOOR_SECONDS,
  targetSchema,
} from './settings.ts'
import { fullness, type TokenWatch, tokenSize, tooLarge } from './token-size.ts'
import type { UpstreamClock } from './upstream-clock.ts'

export interface Minting {
  readonly installation: string
  readonly settings: AwsSettings
  readonly clock: Clock
  readonly upstream: UpstreamClock
  readonly clients: AwsClients
  readonly log: ProviderLog
  readonly tokens: TokenWatch
}

const NAME = /^[\w+=,.@-]{2,64}$/
const EXTERNAL_ID = /^[\w+=,.@:/-]{2,1224}$/
const TAG_VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,256}$/u

/**
 * One AssumeRole: the lease's upstream name as RoleSessionName and SourceIdentity, the intent as
 * session policy with its end. The name is the caller's before the call, so an answer that never
 * came can still be ended by it.
 */
export async function mint(minting: Minting, order: MintOrder): Promise<Minted> {
  const target = targetSchema.parse(order.target)
  const now = minting.clock.earliest()
  const endsAt = Math.min(order.notAfter, now + order.ttlSeconds * 1000)
  const input = assumeRoleInput(minting, order, { target, now, endsAt })
  try {
    const answer = await minting.clients.mint.send(new AssumeRoleCommand(input), {
      abortSignal: order.signal,
    })
    return minted(minting, order, { answer, endsAt, seconds: input.DurationSeconds })
  } catch (error) {
    throw tooLarge(upstreamError(error, 'AssumeRole'), input)
  }
}

/** What to ask for; refuses what STS would, before anything is sent. */
function assumeRoleInput(
  { installation, upstream }: Minting,
  order: MintOrder,
  { target, now, endsAt }: { target: AwsTarget; now: number; endsAt: number },
) {
  const compiled = compileScope(order.intent)
  if ('refused' in compiled) throw unsendable(compiled.refused)
  const needed = Math.ceil((endsAt - now) / 1000)
  if (needed < 1) throw unsendable('the lease is already over')
  const longest = maxSessionSeconds(target)
  if (needed > longest) throw unsendable(`the role gives at most ${longest} s, not ${needed} s`)
  const externalId = externalIdOf(target, { installation, tenant: order.tenant })
  if (!NAME.test(order.upstreamName)) throw unsendable('the upstream name is not one STS takes')
  if (!EXTERNAL_ID.test(externalId)) {
    throw unsendable(`"${externalId}" does not fit sts:ExternalId; set external_id in the target`)
  }
  // Where AWS's clock is behind ours it reads an earlier time at the same instant.
  const endsUpstream = endsAt + Math.min(0, upstream.skew())
  return {
    RoleArn: target.role_arn,
    RoleSessionName: order.upstreamName,
    SourceIdentity: order.upstreamName,
    ExternalId: externalId,
    DurationSeconds: Math.max(NATIVE_FLOOR_SECONDS, needed),
    Policy: sessionPolicy(compiled.statements, endsUpstream),
    Tags: [
      { Key: 'mayfly-task', Value: tagValue('task', order.task) },
      { Key: 'mayfly-agent', Value: tagValue('agent', order.agent) },
      { Key: 'mayfly-tenant', Value: tagValue('tenant', order.tenant) },
    ],
    TransitiveTagKeys: ['mayfly-task', 'mayfly-agent', 'mayfly-tenant'],
  }
}

export function externalIdOf(
  { external_id }: AwsTarget,
  { installation, tenant }: { readonly installation: string; readonly tenant: string },
): string {
  return external_id ?? `${installation}:${tenant}`
}

/** Reads the answer; one that does not add up means a credential we cannot vouch for. */
function minted(
  { upstream, settings, log, tokens }: Minting,
  order: MintOrder,
  {
    answer,
    endsAt,
    seconds,
  }: {
    readonly answer: AssumeRoleCommandOutput
    readonly endsAt: number
    /** The duration that was asked for. */
    readonly seconds: number
  },
): Minted {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer.Credentials ?? {}
  const expiration = Expiration?.getTime() ?? Number.NaN
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Number.isFinite(expiration)) {
    throw new UpstreamError('unknown', 'AssumeRole answered without credentials')
  }
  if (answer.SourceIdentity !== undefined && answer.SourceIdentity !== order.upstreamName) {
    throw new UpstreamError('unknown', 'AssumeRole answered for another source identity')
  }
  if (answer.SourceIdentity === undefined) {
    log.warn(
      { lease: order.lease, role: order.targetName },
      'the session’s source identity was not confirmed; an end may not bite before it expires',
    )
  }
  tokens.saw(order.targetName, answer)
  const upstreamTime = upstream.now()
  const skew = upstream.skew()
  // In our clock, erring late: AWS's clock may be behind ours.
  const nativeExpiresAt = expiration + Math.max(0, -skew)
  const expiresAt = Math.min(endsAt - Math.max(0, skew), expiration)
  return {
    credential: {
      type: 'aws',
      access_key_id: AccessKeyId,
      secret_access_key: new Secret(SecretAccessKey),
      session_token: new Secret(SessionToken),
      region: settings.region,
    },
    expiresAt,
    nativeExpiresAt,
    handle: {
      ...handleOf(answer),
      issued_at: issuedAt(order, { expiration, seconds, upstreamTime }),
    },
    ...(upstreamTime === undefined ? {} : { upstreamTime }),
    ...fullness(answer),
  }
}

/** Secret-free facts for the operator: who the session is, and how full its token was. */
function handleOf(answer: AssumeRoleCommandOutput): Record<string, string | number> {
  const facts = {
    session_arn: answer.AssumedRoleUser?.Arn,
    session_id: answer.AssumedRoleUser?.AssumedRoleId,
    source_identity: answer.SourceIdentity,
    ...tokenSize(answer),
  }
  const known = Object.entries(facts).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value] as const],
  )
  return Object.fromEntries(known)
}

/** When the youngest session of the lease was issued, in AWS's clock, to the second: erring late. */
function issuedAt(
  { handle }: MintOrder,
  facts: { expiration: number; seconds: number; upstreamTime: number | undefined },
): number {
  const earlier = typeof handle?.issued_at === 'number' ? handle.issued_at : 0
  const byExpiry = facts.expiration - facts.seconds * 1000
  return Math.max(byExpiry, facts.upstreamTime ?? 0, earlier)
}

function tagValue(what: string, value: string): string {
  if (TAG_VALUE.test(value)) return value
  throw unsendable(`the ${what} "${value}" does not fit a session tag; rename it`)
}

function unsendable(reason: string): UpstreamError {
  return new UpstreamError('refused', `AssumeRole was not sent: ${reason}`)
}
