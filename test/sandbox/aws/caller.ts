import { fingerprint, type Ledger } from '../ledger.ts'
import type { Account, Principal, Session } from './account.ts'
import type { Context } from './conditions.ts'
import { type AccessRequest, applies, evaluate, grantOf, type Verdict } from './evaluator.ts'
import type { Statement } from './policy-document.ts'
import { AwsError } from './wire.ts'

/** Who calls, when and where: what every operation of the sandbox gets. */
export interface Call {
  readonly account: Account
  readonly ledger: Ledger
  readonly principal: Principal
  readonly now: number
  /** The sandbox's clock, for what is asked later than this call. */
  readonly clock: () => number
  readonly region: string
}

export interface Access {
  readonly action: string
  readonly resource: string
  readonly keys?: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly resourcePolicy?: readonly Statement[]
}

/** Evaluates and records; throws AccessDenied with the words AWS uses. */
export function authorize(call: Call, access: Access): void {
  const verdict = evaluate(requestOf(call, access))
  recordUse(call, access.action, verdict)
  if (!verdict.allowed) throw denied(call, access, verdict.reason)
}

/**
 * Assuming a role needs its trust as well: as the only grant where it names the caller for
 * `sts:AssumeRole`, beside the caller's own policies in every other case.
 */
export function authorizeByTrust(
  call: Call,
  access: Access & { readonly resourcePolicy: readonly Statement[] },
): void {
  const grant = grantOf(requestOf(call, access))
  if (grant === undefined) throw denied(call, access, 'because no trust policy allows the action')
  const trust = access.resourcePolicy
  const counted =
    access.action === 'sts:AssumeRole' ? trust : trust.filter((s) => s.effect === 'Deny')
  authorize(call, { ...access, resourcePolicy: counted })
}

export function decide(call: Call, access: Access): Verdict {
  return evaluate(requestOf(call, access))
}

function denied(call: Call, { action, resource }: Access, reason: string): AwsError {
  const who = `User: ${call.principal.arn} is not authorized to perform: ${action}`
  return new AwsError('AccessDenied', 403, `${who} on resource: "${resource}" ${reason}`)
}

function requestOf(call: Call, access: Access): AccessRequest {
  const { principal, account, now } = call
  const session = principal.kind === 'session' ? principal : undefined
  return {
    action: access.action,
    resource: access.resource,
    context: contextOf(call, access),
    identity:
      principal.kind === 'session'
        ? principal.role.inline.effective(now, call.region)
        : principal.policies,
    boundary: session?.role.boundary,
    session: session?.policy,
    resourcePolicy: access.resourcePolicy,
    caller: {
      arn: principal.arn,
      accountId: account.id,
      ...(session ? { roleArn: session.role.arn } : {}),
    },
  }
}

/** Writes a session's use into the ledger; long-term keys are the broker's own business. */
export function recordUse(call: Call, operation: string, verdict: Verdict): void {
  if (call.principal.kind !== 'session') return
  call.ledger.use({
    upstream: 'aws',
    fingerprint: fingerprint(call.principal.secretAccessKey),
    at: call.now,
    operation,
    allowed: verdict.allowed,
    reason: verdict.reason,
  })
}

/**
 * Whether the sandbox would still honour a session anywhere, for anything but GetCallerIdentity: it
 * is neither expired nor, in every region, under an effective deny of every action and resource.
 */
export function stillWorks(call: Call & { principal: Session }): boolean {
  const { principal, now, account } = call
  if (now >= principal.expiresAt) return false
  const request = {
    action: '*',
    resource: '*',
    context: contextOf(call, { action: '*', resource: '*' }),
    identity: [],
    caller: { arn: principal.arn, roleArn: principal.role.arn, accountId: account.id },
  }
  const { inline } = principal.role
  const refuses = (s: Statement) =>
    s.effect === 'Deny' && s.actions?.includes('*') === true && applies(s, request)
  return inline
    .regions()
    .some(
      (region) => ![...inline.effective(now, region), ...(principal.policy ?? [])].some(refuses),
    )
}

function contextOf({ principal, now, region, account }: Call, { keys }: Access): Context {
  const context = new Map<string, readonly string[]>()
  const set = (key: string, value: string | readonly string[] | undefined) => {
    if (value !== undefined) {
      context.set(key.toLowerCase(), typeof value === 'string' ? [value] : value)
    }
  }
  set('aws:CurrentTime', new Date(now).toISOString())
  set('aws:EpochTime', String(Math.floor(now / 1000)))
  set('aws:RequestedRegion', region)
  set('aws:SecureTransport', 'false')
  set('aws:PrincipalAccount', account.id)
  if (principal.kind === 'user') {
    set('aws:PrincipalArn', principal.arn)
    set('aws:PrincipalType', 'User')
    set('aws:username', principal.name)
    set('aws:userid', principal.id)
  } else {
    set('aws:PrincipalArn', principal.role.arn)
    set('aws:PrincipalType', 'AssumedRole')
    set('aws:userid', `${principal.role.id}:${principal.name}`)
    set('aws:TokenIssueTime', new Date(principal.issuedAt).toISOString())
    set('aws:SourceIdentity', principal.sourceIdentity)
    for (const [tag, value] of principal.tags) set(`aws:PrincipalTag/${tag}`, value)
  }
  for (const [key, value] of Object.entries(keys ?? {})) set(key, value)
  return context
}
