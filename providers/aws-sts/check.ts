import { type IAMClient, SimulatePrincipalPolicyCommand } from '@aws-sdk/client-iam'
import { GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts'
import { SKEW_MS } from '../../src/model/lifetime.ts'
import type { Finding } from '../../src/provider.ts'
import { checkProbe, checkRegions } from './check-proof.ts'
import type { AwsClients } from './clients.ts'
import { upstreamError } from './errors.ts'
import { accountOfRole, RolePolicies } from './role-policies.ts'
import { othersEndHere } from './role-survey.ts'
import type { AwsSettings } from './settings.ts'
import type { UpstreamClock } from './upstream-clock.ts'

export interface Checking {
  readonly clients: AwsClients
  readonly upstream: UpstreamClock
  /** Every role a target names or a lease was drawn on. */
  readonly roles: readonly string[]
  readonly installation: string
  readonly settings: AwsSettings
}

const CHECK_MS = 10_000
const REVOKING = ['iam:PutRolePolicy', 'iam:DeleteRolePolicy', 'iam:GetRolePolicy']

/** Looks without changing anything: who we are, what the clock says, what the roles let us do. */
export async function check(checking: Checking): Promise<readonly Finding[]> {
  const signal = AbortSignal.timeout(CHECK_MS)
  const { clients, roles, installation, settings } = checking
  const apart = settings.revoke !== undefined
  const minter = await identify(clients.mint, 'minting', signal)
  const ender = apart ? await identify(clients.whoRevokes, 'ending', signal) : minter
  const findings = [minter.finding, ...(apart ? [ender.finding] : []), skewFinding(checking)]
  findings.push(...(await checkRegions(checking, signal)))
  if (roles.length === 0) {
    findings.push({ level: 'warning', what: 'no role is configured yet, so none was checked' })
  }
  const account = ender.arn?.split(':')[4]
  for (const role of roles) {
    if (account !== undefined && account !== accountOfRole(role)) {
      findings.push(elsewhere(role, account))
      continue
    }
    findings.push(...(await canList(clients.revoke, { role, installation }, signal)))
    if (settings.proof) findings.push(await checkProbe(clients.revoke, role, signal))
    if (ender.arn !== undefined) {
      findings.push(await canWrite({ iam: clients.revoke, arn: ender.arn, role, signal }))
    }
    if (apart && minter.arn !== undefined) {
      findings.push(...(await excess({ iam: clients.mintIam, arn: minter.arn, role, signal })))
    }
  }
  return findings
}

/** The account of whoever this client is; undefined where STS does not say. */
export async function accountOf(
  client: STSClient,
  abortSignal: AbortSignal,
): Promise<string | undefined> {
  try {
    return (await client.send(new GetCallerIdentityCommand({}), { abortSignal })).Account
  } catch {
    return undefined
  }
}

/** IAM's calls carry a role's name without its account: they would reach another role. */
function elsewhere(role: string, account: string): Finding {
  return {
    level: 'blocking',
    what: `${role} is not in account ${account} of the ending identity: its leases could not be ended`,
    fix: 'use a provider of that account, or set revoke.role_arn to a role there',
  }
}

interface Identity {
  readonly arn?: string
  readonly finding: Finding
}

async function identify(
  client: STSClient,
  what: 'minting' | 'ending',
  abortSignal: AbortSignal,
): Promise<Identity> {
  try {
    const { Arn } = await client.send(new GetCallerIdentityCommand({}), { abortSignal })
    if (Arn === undefined) throw new Error('the answer names nobody')
    return { arn: Arn, finding: { level: 'ok', what: `the ${what} identity is ${Arn}` } }
  } catch (error) {
    const { message } = upstreamError(error, 'GetCallerIdentity')
    const unusable = `the ${what} identity is unusable: ${message}`
    return { finding: { level: 'blocking', what: unusable, fix: 'configure working credentials' } }
  }
}

function skewFinding({ upstream }: Checking): Finding {
  if (upstream.now() === undefined) {
    return { level: 'warning', what: 'the clock could not be compared with AWS’s' }
  }
  const skew = upstream.skew()
  const what = `AWS’s clock is ${Math.round(Math.abs(skew) / 1000)} s ${skew < 0 ? 'behind' : 'ahead'}`
  if (Math.abs(skew) <= SKEW_MS) return { level: 'ok', what }
  return { level: 'blocking', what, fix: 'synchronise this host’s clock' }
}

async function canList(
  iam: IAMClient,
  { role, installation }: { readonly role: string; readonly installation: string },
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const names = await new RolePolicies(iam, role).names(signal)
    const listed = { level: 'ok', what: `the inline policies of ${role} can be listed` } as const
    return othersEndHere(names, installation) ? [listed, sharedRole(role)] : [listed]
  } catch (error) {
    const { message, upstreamCode } = upstreamError(error, 'ListRolePolicies')
    if (upstreamCode === 'NoSuchEntity') {
      const what = `${role} does not exist: nothing can be minted on it`
      return [{ level: 'warning', what, fix: 'create the role, or correct the target' }]
    }
    const what = `leases on ${role} could not be ended: ${message}`
    const fix =
      'allow the ending identity iam:ListRolePolicies, GetRolePolicy, PutRolePolicy and DeleteRolePolicy on it'
    return [{ level: 'blocking', what, fix }]
  }
}

/** Its agents may bear the same names as ours. */
function sharedRole(role: string): Finding {
  return {
    level: 'warning',
    what: `another installation ends leases on ${role}, too: many are not refused by one statement there, each takes a place`,
    fix: 'give each installation roles of its own; delete its mayfly-… policies only once the sessions they name have expired',
  }
}

interface Question {
  readonly iam: IAMClient
  readonly arn: string
  readonly role: string
  readonly signal: AbortSignal
}

/** Asks IAM's simulator, since a dry write does not exist; many may not ask it about themselves. */
async function canWrite(question: Question): Promise<Finding> {
  const denied = await simulate(question, REVOKING, (decision) => decision !== 'allowed')
  const { role } = question
  if (denied === undefined) {
    return {
      level: 'warning',
      what: `whether deny documents of ${role} can be written could not be checked`,
      fix: 'allow the ending identity iam:SimulatePrincipalPolicy on itself, or end a test lease',
    }
  }
  if (denied.length === 0) return { level: 'ok', what: `deny documents of ${role} can be written` }
  return {
    level: 'blocking',
    what: `the ending identity may not ${denied.join(', ')} on ${role}`,
    fix: 'add these to its policy',
  }
}

/** The minting identity must not be able to change roles: it could lift an end. */
async function excess(question: Question): Promise<readonly Finding[]> {
  const allowed = await simulate(question, REVOKING.slice(0, 2), (d) => d === 'allowed')
  if (allowed === undefined || allowed.length === 0) return []
  const what = `the minting identity may also ${allowed.join(', ')} on ${question.role}`
  return [{ level: 'warning', what, fix: 'take these from it: it could lift an end' }]
}

/** The actions whose decision `matters`; undefined where the simulator cannot be asked. */
async function simulate(
  { iam, arn, role, signal }: Question,
  actions: readonly string[],
  matters: (decision: string) => boolean,
): Promise<readonly string[] | undefined> {
  try {
    const answer = await iam.send(
      new SimulatePrincipalPolicyCommand({
        PolicySourceArn: policyOwner(arn),
        ActionNames: [...actions],
        ResourceArns: [role],
      }),
      { abortSignal: signal },
    )
    const results = answer.EvaluationResults ?? []
    if (results.length < actions.length) return undefined
    return results
      .filter((result) => matters(result.EvalDecision ?? ''))
      .map((result) => result.EvalActionName ?? '?')
  } catch {
    return undefined
  }
}

/** A session's policies are its role's: `…:assumed-role/R/S` becomes `…:role/R`. */
function policyOwner(arn: string): string {
  const match = /^arn:([\w-]+):sts::(\d+):assumed-role\/([^/]+)\//.exec(arn)
  return match ? `arn:${match[1]}:iam::${match[2]}:role/${match[3]}` : arn
}
