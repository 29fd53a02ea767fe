import type { Answer } from '../faults.ts'
import type { Role } from './account.ts'
import { authorize, type Call, decide } from './caller.ts'
import { MalformedPolicy, parsePolicy } from './policy-document.ts'
import { AwsError, element, queryAnswer } from './wire.ts'

const POLICY_NAME = /^[\w+=,.@-]{1,128}$/
/** White space does not count; cannot be raised (IAM quotas). */
const INLINE_CHARACTERS_PER_ROLE = 10_240

export const iamOperations: Record<string, (call: Call, form: URLSearchParams) => Answer> = {
  PutRolePolicy: (call, form) => {
    const role = roleFor(call, form, 'PutRolePolicy')
    const name = policyName(form)
    const text = form.get('PolicyDocument') ?? ''
    try {
      parsePolicy(text, 'identity')
    } catch (error) {
      if (!(error instanceof MalformedPolicy)) throw error
      throw new AwsError('MalformedPolicyDocument', 400, error.message)
    }
    if (role.inline.sizeWith(name, text) > INLINE_CHARACTERS_PER_ROLE) {
      const limit = `Maximum policy size of ${INLINE_CHARACTERS_PER_ROLE} bytes exceeded for role ${role.name}`
      throw new AwsError('LimitExceeded', 409, limit)
    }
    role.inline.put(name, text, call.now)
    return queryAnswer('iam', 'PutRolePolicy', '')
  },

  GetRolePolicy: (call, form) => {
    const role = roleFor(call, form, 'GetRolePolicy')
    const name = policyName(form)
    const text = role.inline.get(name)
    if (text === undefined) throw noSuch(`The role policy with name ${name} cannot be found.`)
    const result =
      element('RoleName', role.name) +
      element('PolicyName', name) +
      element('PolicyDocument', encodeURIComponent(text))
    return queryAnswer('iam', 'GetRolePolicy', result)
  },

  DeleteRolePolicy: (call, form) => {
    const role = roleFor(call, form, 'DeleteRolePolicy')
    const name = policyName(form)
    if (role.inline.get(name) === undefined) throw noSuch(`${name} cannot be found.`)
    role.inline.delete(name, call.now)
    return queryAnswer('iam', 'DeleteRolePolicy', '')
  },

  ListRolePolicies: (call, form) => {
    const role = roleFor(call, form, 'ListRolePolicies')
    const names = role.inline.names()
    const start = Number(form.get('Marker') ?? 0)
    const end = start + Number(form.get('MaxItems') ?? 100)
    const members = names.slice(start, end).map((name) => element('member', name))
    const more = end < names.length
    const result =
      `<PolicyNames>${members.join('')}</PolicyNames>` +
      element('IsTruncated', String(more)) +
      (more ? element('Marker', end) : '')
    return queryAnswer('iam', 'ListRolePolicies', result)
  },

  GetRole: (call, form) => {
    const role = roleFor(call, form, 'GetRole')
    const fields =
      element('Path', '/') +
      element('RoleName', role.name) +
      element('RoleId', role.id) +
      element('Arn', role.arn) +
      element('CreateDate', new Date(0).toISOString()) +
      element('MaxSessionDuration', role.maxSessionSeconds)
    return queryAnswer('iam', 'GetRole', `<Role>${fields}</Role>`)
  },

  SimulatePrincipalPolicy: (call, form) => {
    const source = form.get('PolicySourceArn') ?? ''
    authorize(call, { action: 'iam:SimulatePrincipalPolicy', resource: source })
    const policies = policiesOf(call, source)
    const named = members(form, 'ResourceArns')
    const resources = named.length > 0 ? named : ['*']
    const results = members(form, 'ActionNames').flatMap((action) =>
      resources.map((resource) => {
        const user = { ...call.principal, kind: 'user' as const, policies }
        // Only what an identity's own policies say is simulated, so a user stands for a role too.
        const verdict = decide(
          { ...call, principal: user as Call['principal'] },
          { action, resource },
        )
        const decision = verdict.allowed
          ? 'allowed'
          : verdict.explicit
            ? 'explicitDeny'
            : 'implicitDeny'
        return `<member>${element('EvalActionName', action)}${element('EvalResourceName', resource)}${element('EvalDecision', decision)}</member>`
      }),
    )
    const result = `<EvaluationResults>${results.join('')}</EvaluationResults>${element('IsTruncated', 'false')}`
    return queryAnswer('iam', 'SimulatePrincipalPolicy', result)
  },
}

function roleFor(call: Call, form: URLSearchParams, operation: string): Role {
  const name = form.get('RoleName') ?? ''
  const role = call.account.roles.get(name)
  const resource = role?.arn ?? `arn:aws:iam::${call.account.id}:role/${name}`
  authorize(call, { action: `iam:${operation}`, resource })
  if (!role) throw noSuch(`The role with name ${name} cannot be found.`)
  return role
}

function policiesOf(call: Call, arn: string) {
  const user = [...call.account.users.values()].find((candidate) => candidate.arn === arn)
  const role = [...call.account.roles.values()].find((candidate) => candidate.arn === arn)
  const policies = user?.policies ?? role?.inline.effective(call.now, call.region)
  if (!policies) throw noSuch(`${arn} cannot be found.`)
  return policies
}

function members(form: URLSearchParams, list: string): string[] {
  const values: string[] = []
  for (let i = 1; form.has(`${list}.member.${i}`); i++) {
    values.push(form.get(`${list}.member.${i}`) ?? '')
  }
  return values
}

function policyName(form: URLSearchParams): string {
  const name = form.get('PolicyName') ?? ''
  if (!POLICY_NAME.test(name)) throw new AwsError('ValidationError', 400, 'bad PolicyName')
  return name
}

function noSuch(message: string): AwsError {
  return new AwsError('NoSuchEntity', 404, message)
}
