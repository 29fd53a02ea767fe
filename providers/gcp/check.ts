import { z } from 'zod'
import { type Finding, type ProviderContext, UpstreamError } from '../../src/provider.ts'
import type { BrokerIdentity } from './identity.ts'
import { isDisabled } from './pool.ts'
import type { Settings } from './settings.ts'
import { accountsOf, isPool, resourceName, type Target, target } from './target.ts'
import type { Upstream } from './upstream.ts'

const CHECK_DEADLINE_MS = 15_000
/** Above it nothing is minted, because no lifetime can be trusted (P17). */
const SKEW_LIMIT_MS = 30_000
const MINT = ['iam.serviceAccounts.getAccessToken']
const REVOKE = [
  'iam.serviceAccounts.get',
  'iam.serviceAccounts.disable',
  'iam.serviceAccounts.enable',
]
/** Rights by which a broker's identity could outlive or widen what it lends. */
const EXCESSIVE = [
  'iam.serviceAccounts.setIamPolicy',
  'iam.serviceAccounts.delete',
  'iam.serviceAccountKeys.create',
]

/** What the mint and the revoke identity lack or have in excess on every configured account. */
export async function check(
  upstream: Upstream,
  context: ProviderContext<Settings>,
): Promise<readonly Finding[]> {
  const targets = (context.targets ?? []).flatMap((given) => {
    const parsed = target.safeParse(given)
    return parsed.success ? [parsed.data] : []
  })
  const findings: Finding[] = []
  const inspected = new Set<string>()
  for (const candidate of targets) {
    for (const account of accountsOf(candidate)) {
      const key = `${resourceName(candidate, account)} ${isPool(candidate)}`
      if (inspected.has(key)) continue
      inspected.add(key)
      findings.push(...(await checkAccount({ upstream, context, candidate, account })))
    }
  }
  if (inspected.size > 0) return findings
  return [{ level: 'ok', what: 'no entitlement draws on this provider: nothing to check' }]
}

interface Subject {
  readonly upstream: Upstream
  readonly context: ProviderContext<Settings>
  readonly candidate: Target
  readonly account: string
}

async function checkAccount(subject: Subject): Promise<readonly Finding[]> {
  const { upstream, account, candidate } = subject
  try {
    const findings = await checkMinter(subject)
    if (isPool(candidate)) findings.push(...(await checkRevoker(subject)))
    if (findings.length > 0) return findings
    const rights = isPool(candidate) ? 'minted, ended and given back' : 'minted, and expire'
    return [{ level: 'ok', what: `${account}: tokens can be ${rights}` }]
  } catch (error) {
    const why = error instanceof UpstreamError ? error.message : 'failed unexpectedly'
    const separate = upstream.revoker !== upstream.minter
    const fix = `check the credentials of the provider${separate ? ', of revoke too,' : ''} and its endpoints`
    return [{ level: 'blocking', what: `${account}: cannot be inspected: ${why}`, fix }]
  }
}

async function checkMinter(subject: Subject): Promise<Finding[]> {
  const { upstream, account, context } = subject
  const findings: Finding[] = []
  const answer = await held(subject, upstream.minter, [...MINT, ...EXCESSIVE])
  if (!MINT.every((permission) => answer.permissions.includes(permission))) {
    findings.push({
      level: 'warning',
      what: `${account}: the mint identity may not make tokens for it`,
      fix: 'grant it roles/iam.serviceAccountTokenCreator on this account',
    })
  }
  const excess = EXCESSIVE.filter((permission) => answer.permissions.includes(permission))
  if (excess.length > 0) {
    findings.push({
      level: 'warning',
      what: `${account}: the mint identity also has ${excess.join(', ')}`,
      fix: 'take from it every role but roles/iam.serviceAccountTokenCreator',
    })
  }
  const skew = Math.abs((answer.upstreamTime ?? context.clock.now()) - context.clock.now())
  if (skew > SKEW_LIMIT_MS) {
    findings.push({
      level: 'blocking',
      what: `the clock differs from Google's by ${Math.round(skew / 1_000)} s`,
      fix: 'synchronise the clock of this host',
    })
  }
  return findings
}

async function checkRevoker(subject: Subject): Promise<Finding[]> {
  const { upstream, account, candidate } = subject
  const { permissions } = await held(subject, upstream.revoker, REVOKE)
  const lacking = REVOKE.filter((permission) => !permissions.includes(permission))
  if (lacking.length > 0) {
    return [
      {
        level: 'blocking',
        what: `${account}: the revoke identity lacks ${lacking.join(', ')}`,
        fix: 'grant it the role of providers/gcp/README.md on this account',
      },
    ]
  }
  const member = { name: resourceName(candidate, account) }
  if (!(await isDisabled(upstream, member, bounds()))) return []
  return [
    {
      level: 'warning',
      what: `${account}: is disabled`,
      fix: 'normal in quarantine after an early end; if no lease is ending on it, enable it with: gcloud iam service-accounts enable',
    },
  ]
}

const tested = z.object({ permissions: z.array(z.string()).default([]) })

async function held(subject: Subject, identity: BrokerIdentity, permissions: readonly string[]) {
  const path = `${resourceName(subject.candidate, subject.account)}:testIamPermissions`
  const request = { method: 'POST', path, body: { permissions } } as const
  const answer = await subject.upstream.iam(identity, request, bounds())
  const parsed = tested.safeParse(answer.body)
  if (!parsed.success) throw new UpstreamError('unknown', 'testIamPermissions gave no list')
  return { permissions: parsed.data.permissions, upstreamTime: answer.upstreamTime }
}

function bounds() {
  return { signal: AbortSignal.timeout(CHECK_DEADLINE_MS), upstreamName: 'mayfly-check' }
}
