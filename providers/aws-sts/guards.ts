import type { Refusal } from '../../src/model/intent.ts'
import { patternCovers, patternsOverlap } from './patterns.ts'

/**
 * What could undo or outlive a credential, and so is denied in every session whose intent does not
 * name it. `residual` is what remains after the end where an intent does name it; the entitlement
 * must accept it by that name.
 */
interface Guard {
  readonly action: string
  readonly residual?: string
}

const GUARDS: readonly Guard[] = [
  { action: 'iam:PassRole', residual: 'passed-role' },
  { action: 'iam:Get*' },
  { action: 'iam:List*' },
  { action: 'iam:Simulate*' },
  { action: 'iam:*', residual: 'iam-changes' },
  { action: 'sts:Assume*', residual: 'assumed-role' },
  { action: 'sts:GetWebIdentityToken', residual: 'web-identity-token' },
  { action: 'sts:GetDelegatedAccessToken', residual: 'delegated-token' },
  { action: 'codeartifact:GetAuthorizationToken', residual: 'codeartifact-token' },
  { action: 'ecr:GetAuthorizationToken', residual: 'ecr-login' },
  { action: 'ecr-public:GetAuthorizationToken', residual: 'ecr-login' },
  { action: 'eks:AccessKubernetesApi', residual: 'eks-login' },
  { action: 'rds-db:connect', residual: 'database-session' },
  { action: 'dsql:DbConnect*', residual: 'database-session' },
  { action: 'elasticache:Connect', residual: 'database-session' },
  { action: 'redshift:GetClusterCredentials*', residual: 'database-session' },
  { action: 'redshift-serverless:GetCredentials', residual: 'database-session' },
  { action: 'cognito-identity:Get*', residual: 'cognito-token' },
  { action: 'cognito-idp:AdminInitiateAuth', residual: 'cognito-token' },
  { action: 'iot:Connect', residual: 'iot-connection' },
  { action: 'ssm:StartSession', residual: 'shell-session' },
  { action: 'ec2-instance-connect:*', residual: 'shell-session' },
  { action: 'ecs:ExecuteCommand', residual: 'shell-session' },
  { action: 'kms:CreateGrant', residual: 'kms-grant' },
  { action: 's3:CreateSession', residual: 's3-express-session' },
  { action: 's3:GetDataAccess', residual: 's3-access-grant' },
  { action: 'lakeformation:Get*DataAccess', residual: 'lakeformation-credentials' },
  { action: 'lakeformation:GetTemporary*', residual: 'lakeformation-credentials' },
  { action: 'sso-oauth:CreateTokenWithIAM', residual: 'sso-token' },
]

/** What the intent's own actions leave behind, by residual name. */
export function residualsOf(actions: readonly string[]): string[] {
  const left = actions.flatMap((action) => {
    const naming = guardNaming(action)
    if (!naming) return []
    const within = GUARDS.filter((guard) => covers(action, guard.action))
    return [naming, ...within].flatMap((guard) => guard.residual ?? [])
  })
  return [...new Set(left)].sort()
}

/**
 * The guard actions to deny: those a wildcard of the intent would let in. What no action of the
 * intent can match is denied already with everything else outside it, and what the intent names
 * is what it asked for. Naming a part of a guard beside a wildcard cannot be expressed.
 */
export function guardsFor(actions: readonly string[]): readonly string[] | Refusal {
  const named = actions.filter((action) => guardNaming(action))
  const wild = actions.filter((action) => !guardNaming(action))
  const wanted: string[] = []
  for (const { action } of GUARDS) {
    const reaching = wild.find((asked) => overlap(asked, action))
    if (reaching === undefined || named.some((asked) => covers(asked, action))) continue
    const part = named.find((asked) => overlap(asked, action))
    if (part !== undefined && guardNaming(part)?.action === action) {
      const fix = `spell out what "${reaching}" is for instead of the wildcard`
      return { refused: `action "${part}" cannot stand beside "${reaching}" on aws: ${fix}` }
    }
    wanted.push(action)
  }
  return wanted.filter((action) => !wanted.some((w) => w !== action && covers(w, action)))
}

/** The first guard that covers the action whole: then the intent names it. */
function guardNaming(action: string): Guard | undefined {
  return GUARDS.find((guard) => covers(guard.action, action))
}

function covers(outer: string, inner: string): boolean {
  return patternCovers(outer.toLowerCase(), inner.toLowerCase())
}

function overlap(a: string, b: string): boolean {
  return patternsOverlap(a.toLowerCase(), b.toLowerCase())
}
