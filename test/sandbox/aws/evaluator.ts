import { type Context, conditionsHold } from './conditions.ts'
import type { Statement } from './policy-document.ts'
import { actionMatch, wildcardMatch } from './wildcard.ts'

/**
 * AWS's documented evaluation of one request inside one account
 * (IAM User Guide, "Policy evaluation logic"): an explicit deny in any policy wins; a resource
 * policy that names the session itself (or everyone) grants past the implicit denies of the
 * identity, boundary and session policies; one that names the role grants past the identity
 * policies only; otherwise identity, boundary and session policies must all allow.
 */
export interface AccessRequest {
  readonly action: string
  readonly resource: string
  readonly context: Context
  readonly identity: readonly Statement[]
  readonly boundary?: readonly Statement[] | undefined
  /** Undefined: the session was minted without one. */
  readonly session?: readonly Statement[] | undefined
  readonly resourcePolicy?: readonly Statement[] | undefined
  /** ARNs by which a resource policy can name the caller. */
  readonly caller: { readonly arn: string; readonly roleArn?: string; readonly accountId: string }
}

export type Verdict =
  | { readonly allowed: true; readonly reason: string }
  | { readonly allowed: false; readonly explicit: boolean; readonly reason: string }

export function evaluate(request: AccessRequest): Verdict {
  for (const [name, statements] of policies(request)) {
    if (statements.some((s) => s.effect === 'Deny' && applies(s, request))) {
      return deny(true, `with an explicit deny in ${name}`)
    }
  }
  const granted = grantOf(request)
  if (granted === 'caller') return { allowed: true, reason: 'resource policy names the caller' }
  if (request.session && !allows(request.session, request)) {
    return deny(false, 'because no session policy allows the action')
  }
  if (request.boundary && !allows(request.boundary, request)) {
    return deny(false, 'because no permissions boundary allows the action')
  }
  if (granted === 'role' || allows(request.identity, request)) {
    return { allowed: true, reason: granted === 'role' ? 'resource policy' : 'identity policy' }
  }
  return deny(false, 'because no identity-based policy allows the action')
}

/** Whether a statement speaks about this request: action, resource, principal and conditions. */
export function applies(statement: Statement, request: AccessRequest): boolean {
  const { action, context } = request
  const fill = (pattern: string) => substitute(pattern, context)
  const onResource = (pattern: string) => wildcardMatch(fill(pattern), request.resource)
  if (statement.actions && !statement.actions.some((p) => actionMatch(p, action))) return false
  if (statement.notActions?.some((p) => actionMatch(p, action))) return false
  if (statement.resources && !statement.resources.some(onResource)) return false
  if (statement.notResources?.some(onResource)) return false
  if (statement.principals && naming(statement.principals, request) === undefined) return false
  const conditions = statement.conditions.map((c) => ({ ...c, values: c.values.map(fill) }))
  return conditionsHold(conditions, context)
}

function policies(request: AccessRequest): [string, readonly Statement[]][] {
  return [
    ['an identity-based policy', request.identity],
    ['a permissions boundary', request.boundary ?? []],
    ['a session policy', request.session ?? []],
    ['a resource-based policy', request.resourcePolicy ?? []],
  ]
}

function allows(statements: readonly Statement[], request: AccessRequest): boolean {
  return statements.some((s) => s.effect === 'Allow' && applies(s, request))
}

/** The strongest way in which the resource policy grants the request. */
export function grantOf(request: AccessRequest): 'caller' | 'role' | 'account' | undefined {
  const grants = (request.resourcePolicy ?? [])
    .filter((s) => s.effect === 'Allow' && applies(s, request))
    .map((s) => naming(s.principals ?? [], request))
  return (['caller', 'role', 'account'] as const).find((kind) => grants.includes(kind))
}

function naming(principals: readonly string[], { caller }: AccessRequest) {
  if (principals.includes('*') || principals.includes(caller.arn)) return 'caller'
  if (caller.roleArn !== undefined && principals.includes(caller.roleArn)) return 'role'
  const root = `arn:aws:iam::${caller.accountId}:root`
  return principals.includes(root) || principals.includes(caller.accountId) ? 'account' : undefined
}

/** Policy variables; one that is absent from the request matches nothing. */
function substitute(pattern: string, context: Context): string {
  return pattern.replace(/\$\{([^}]+)\}/g, (_, key: string) => {
    return context.get(key.toLowerCase())?.[0] ?? '\u0000'
  })
}

function deny(explicit: boolean, reason: string): Verdict {
  return { allowed: false, explicit, reason }
}
