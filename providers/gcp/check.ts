import { z } from 'zod'
import { type Finding, type ProviderContext, UpstreamError } from '../../src/provider.ts'
import { inBatches } from './batches.ts'
import type { BrokerIdentity } from './identity.ts'
import { isDisabled } from './pool-member.ts'
import type { Settings } from './settings.ts'
import { accountsOf, isPool, resourceName, target } from './target.ts'
import type { Upstream } from './upstream.ts'

/** All of it; an upstream that hangs must not hold the readiness answer. */
const CHECK_DEADLINE_MS = 15_000
const CALLS_AT_ONCE = 8
/** Above it nothing is minted, because no lifetime can be trusted (P17). */
const SKEW_LIMIT_MS = 30_000
const MINT = 'iam.serviceAccounts.getAccessToken'
/** Instead, on the first of a chain; Google tells nobody else what the later ones may. */
const PASS_ON = 'iam.serviceAccounts.implicitDelegation'
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
  const signal = AbortSignal.timeout(CHECK_DEADLINE_MS)
  const uses = usesOf(context.targets ?? [])
  if (uses.size === 0) {
    return [{ level: 'ok', what: 'no entitlement draws on this provider: nothing to check' }]
  }
  const subjects = [...uses.values()].map((use) => ({ upstream, context, signal, ...use }))
  const findings = await inBatches(subjects, CALLS_AT_ONCE, checkAccount)
  // What concerns all accounts, like a wrong clock, is said once.
  return [...new Map(findings.flat().map((finding) => [finding.what, finding])).values()]
}

/** How the configured targets use one account. */
interface Use {
  readonly account: string
  readonly name: string
  readonly pooled: boolean
  readonly shared: boolean
  /** The chains by which targets reach it; an empty one is the mint identity itself. */
  readonly chains: readonly (readonly string[])[]
  /** It passes tokens on in some target. */
  readonly delegate: boolean
}

interface Subject extends Use {
  readonly upstream: Upstream
  readonly context: ProviderContext<Settings>
  readonly signal: AbortSignal
}

function usesOf(targets: readonly unknown[]): Map<string, Use> {
  const uses = new Map<string, Use>()
  const parsedTargets = targets.map((given) => target.safeParse(given))
  const delegates = new Set(parsedTargets.flatMap(({ data }) => data?.delegates ?? []))
  for (const parsed of parsedTargets) {
    if (!parsed.success) continue
    const chain = parsed.data.delegates ?? []
    for (const account of accountsOf(parsed.data)) {
      const before = uses.get(account)
      uses.set(account, {
        account,
        name: resourceName(parsed.data, account),
        pooled: isPool(parsed.data) || (before?.pooled ?? false),
        shared: !isPool(parsed.data) || (before?.shared ?? false),
        chains: [...(before?.chains ?? []), chain],
        delegate: delegates.has(account),
      })
    }
  }
  return uses
}

async function checkAccount(subject: Subject): Promise<readonly Finding[]> {
  const { account, pooled, shared } = subject
  try {
    const findings = await checkMinter(subject)
    if (pooled) findings.push(...(await checkRevoker(subject)))
    if (pooled && shared) {
      findings.push({
        level: 'blocking',
        what: `${account}: is in a pool and shared: ending a lease of the pool would end the others`,
        fix: 'give the pool accounts of its own',
      })
    }
    if (subject.delegate) {
      findings.push({
        level: 'blocking',
        what: `${account}: is lent and also a delegate: its holder could make tokens of other accounts`,
        fix: 'give the chain of delegates accounts of its own',
      })
    }
    if (findings.length > 0) return findings
    const rights = pooled ? 'minted, ended and given back' : 'minted, and end by expiry'
    return [{ level: 'ok', what: `${account}: tokens can be ${rights}` }]
  } catch (error) {
    const why = error instanceof UpstreamError ? error.message : 'failed unexpectedly'
    return [
      {
        level: 'blocking',
        what: `${account}: cannot be inspected: ${why}`,
        fix: "check the provider's credentials, revoke.credentials and endpoints",
      },
    ]
  }
}

async function checkMinter(subject: Subject): Promise<Finding[]> {
  const { upstream, account, context } = subject
  const findings: Finding[] = []
  const answer = await held(subject, upstream.minter, [MINT, ...EXCESSIVE])
  for (const [first] of subject.chains) {
    if (await mayMint(subject, first, answer.permissions)) continue
    findings.push({
      level: 'warning',
      what: `${account}: the mint identity may not make tokens for it${first ? ` by way of ${first}` : ''}`,
      fix: `grant it roles/iam.serviceAccountTokenCreator on ${first ?? 'this account'}`,
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
      what: `the clock differs from Google's by more than ${SKEW_LIMIT_MS / 1_000} s`,
      fix: 'synchronise the clock of this host',
    })
  }
  return findings
}

/** Whether the first step of a chain can be taken; on which account, depends on the chain. */
async function mayMint(
  subject: Subject,
  first: string | undefined,
  onAccount: readonly string[],
): Promise<boolean> {
  if (first === undefined) return onAccount.includes(MINT)
  const name = `projects/-/serviceAccounts/${encodeURIComponent(first)}`
  const step = await held({ ...subject, name }, subject.upstream.minter, [PASS_ON])
  return step.permissions.includes(PASS_ON)
}

async function checkRevoker(subject: Subject): Promise<Finding[]> {
  const { upstream, account } = subject
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
  if (!(await isDisabled(upstream, subject, boundsOf(subject)))) return []
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
  const path = `${subject.name}:testIamPermissions`
  const request = { method: 'POST', path, body: { permissions } } as const
  const answer = await subject.upstream.iam(identity, request, boundsOf(subject))
  const parsed = tested.safeParse(answer.body)
  if (!parsed.success) throw new UpstreamError('unknown', 'testIamPermissions gave no list')
  return { permissions: parsed.data.permissions, upstreamTime: answer.upstreamTime }
}

function boundsOf(subject: Subject) {
  return { signal: subject.signal, upstreamName: 'mayfly-check' }
}
