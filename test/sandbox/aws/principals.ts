import { randomBytes } from 'node:crypto'
import { type Account, InlinePolicies, newAwsId, type Propagation } from './account.ts'
import { parsePolicy } from './policy-document.ts'

export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** A policy as an object or as its text. */
export type PolicyInput = string | Readonly<Record<string, unknown>>

export interface RoleInput {
  readonly name: string
  /** Inline policies by name; in force at once. */
  readonly policies?: Readonly<Record<string, PolicyInput>>
  /** Absent: the account may assume it, name its sessions and tag them. */
  readonly trust?: PolicyInput
  /** Shorthand for the default trust under `sts:ExternalId`. */
  readonly externalId?: string | readonly string[]
  readonly boundary?: PolicyInput
  readonly maxSessionSeconds?: number
}

/** What a broker that mints and ends on every role needs. */
export const BROKER_POLICY = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: ['sts:AssumeRole', 'sts:SetSourceIdentity', 'sts:TagSession'],
      Resource: '*',
    },
    {
      Effect: 'Allow',
      Action: [
        'iam:PutRolePolicy',
        'iam:GetRolePolicy',
        'iam:DeleteRolePolicy',
        'iam:ListRolePolicies',
        'iam:GetRole',
        'iam:SimulatePrincipalPolicy',
      ],
      Resource: '*',
    },
  ],
}

export function newUser(account: Account, name: string, policy: PolicyInput): AwsKeys {
  const keys = {
    accessKeyId: newAwsId('AKIA'),
    secretAccessKey: randomBytes(30).toString('base64'),
  }
  account.users.set(keys.accessKeyId, {
    kind: 'user',
    name,
    arn: `arn:aws:iam::${account.id}:user/${name}`,
    id: newAwsId('AIDA'),
    policies: parsePolicy(textOf(policy), 'identity'),
    ...keys,
  })
  return keys
}

export function newRole(account: Account, input: RoleInput, propagation: Propagation) {
  const { name, policies = {}, maxSessionSeconds = 3600 } = input
  const arn = `arn:aws:iam::${account.id}:role/${name}`
  const texts = Object.fromEntries(Object.entries(policies).map(([k, v]) => [k, textOf(v)]))
  const role = {
    name,
    arn,
    id: newAwsId('AROA'),
    trust: parsePolicy(textOf(input.trust ?? defaultTrust(account.id, input.externalId)), 'trust'),
    boundary:
      input.boundary === undefined ? undefined : parsePolicy(textOf(input.boundary), 'identity'),
    maxSessionSeconds,
    inline: new InlinePolicies(propagation, texts),
  }
  account.roles.set(name, role)
  return { arn, id: role.id }
}

function defaultTrust(accountId: string, externalId: RoleInput['externalId']): PolicyInput {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${accountId}:root` },
        Action: ['sts:AssumeRole', 'sts:SetSourceIdentity', 'sts:TagSession'],
        ...(externalId === undefined
          ? {}
          : { Condition: { StringEquals: { 'sts:ExternalId': externalId } } }),
      },
    ],
  }
}

export function roleNamed(account: Account, name: string) {
  const role = account.roles.get(name)
  if (!role) throw new Error(`the sandbox has no role ${name}`)
  return role
}

export function textOf(policy: PolicyInput): string {
  return typeof policy === 'string' ? policy : JSON.stringify(policy)
}
