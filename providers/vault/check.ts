/** What `mayfly doctor` says about one Vault: what its identities lack or have too much of. */
import { SKEW_MS } from '../../src/model/lifetime.ts'
import type { Finding } from '../../src/provider.ts'
import { UpstreamError } from '../../src/provider.ts'
import { checkEngines } from './check-engines.ts'
import { checkTokenRole } from './check-token-role.ts'
import type { VaultSession } from './session.ts'
import type { Upstream } from './upstream.ts'

/** How long the whole check may take. */
const CHECK_MS = 15_000
/** Stands for any lease's policy. */
const SOME_POLICY = 'sys/policies/acl/mf-aaaaaaaaaaaaaaaaaaaa'

interface Need {
  readonly path: string
  /** How the policy to add should write the path, where that is wider. */
  readonly written?: string
  readonly capabilities: readonly string[]
  readonly level: Finding['level']
  readonly lest: string
}

export async function check(
  upstream: Upstream,
  targets: readonly unknown[] = [],
): Promise<readonly Finding[]> {
  const signal = AbortSignal.timeout(CHECK_MS)
  const separate = upstream.minter !== upstream.ender
  try {
    return [
      await clockFinding(upstream, signal),
      ...(await identityFindings(upstream.minter, 'mint', mintNeeds(upstream), signal)),
      ...(await identityFindings(upstream.ender, 'revoke', END_NEEDS, signal)),
      ...(await checkTokenRole(upstream, signal)),
      ...(await checkEngines(upstream, targets, signal)),
      ...(separate ? [] : [SHARED_IDENTITY]),
    ]
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    return [{ level: 'blocking', what: error.message, fix: 'check address, ca and auth' }]
  }
}

const SHARED_IDENTITY: Finding = {
  level: 'warning',
  what: 'one identity both mints and ends: whoever gets it can do both',
  fix: 'configure revoke_auth with an identity of its own',
}

/** P17: what is minted by another clock cannot be bounded by ours. */
async function clockFinding({ minter, clock }: Upstream, signal: AbortSignal): Promise<Finding> {
  const data = { paths: [SOME_POLICY] }
  const call = { method: 'write', path: 'sys/capabilities-self', data, signal } as const
  const { at } = await minter.call(call)
  if (at === undefined) return { level: 'warning', what: 'vault’s clock could not be compared' }
  const skew = at - clock.now()
  const what = `vault’s clock is ${Math.round(Math.abs(skew) / 1000)} s ${skew < 0 ? 'behind' : 'ahead'}`
  if (Math.abs(skew) <= SKEW_MS) return { level: 'ok', what }
  return { level: 'blocking', what, fix: 'synchronise the clocks of this host and of vault' }
}

function mintNeeds({ settings }: Upstream): readonly Need[] {
  return [
    {
      path: SOME_POLICY,
      written: 'sys/policies/acl/mf-*',
      capabilities: ['update'],
      level: 'blocking',
      lest: 'no lease can get its policy',
    },
    {
      path: `auth/token/create/${settings.token_role}`,
      capabilities: ['update'],
      level: 'blocking',
      lest: 'no lease can get its token',
    },
    {
      path: 'auth/token/renew-accessor',
      capabilities: ['update'],
      level: 'warning',
      lest: 'no lease can be renewed',
    },
    {
      path: 'sys/leases/renew',
      capabilities: ['update'],
      level: 'warning',
      lest: 'a database user cannot be made to end with its lease, so such a mint fails',
    },
  ]
}

const END_NEEDS: readonly Need[] = [
  {
    path: SOME_POLICY,
    written: 'sys/policies/acl/mf-*',
    capabilities: ['delete'],
    level: 'blocking',
    lest: 'a lease could not be ended by name',
  },
  {
    path: 'auth/token/revoke-accessor',
    capabilities: ['update'],
    level: 'blocking',
    lest: 'a token could not be ended',
  },
  {
    path: 'sys/leases/revoke',
    capabilities: ['update'],
    level: 'blocking',
    lest: 'a database user could not be removed',
  },
  {
    path: 'auth/token/lookup-accessor',
    capabilities: ['update'],
    level: 'warning',
    lest: 'the end of a token cannot be proved',
  },
  {
    path: 'sys/leases/lookup',
    capabilities: ['update'],
    level: 'warning',
    lest: 'the end of a database user cannot be proved',
  },
  {
    path: 'auth/token/accessors/',
    capabilities: ['list', 'sudo'],
    level: 'warning',
    lest: 'tokens of mints whose answer was lost cannot be found, only made powerless',
  },
  {
    path: 'sys/policies/acl/',
    written: 'sys/policies/acl',
    capabilities: ['list'],
    level: 'warning',
    lest: 'what is left under lease names cannot be listed',
  },
]

async function identityFindings(
  session: VaultSession,
  who: 'mint' | 'revoke',
  needs: readonly Need[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const granted = await capabilitiesOf(session, needs, signal)
  if (needs.some((need) => granted(need.path).includes('root'))) {
    return [
      {
        level: 'warning',
        what: `the ${who} identity holds the root policy, which is far more than it needs`,
        fix: `give it a token with this policy: ${needs.map(stanza).join(' ')}`,
      },
    ]
  }
  const lacking = needs.filter((need) =>
    need.capabilities.some((capability) => !granted(need.path).includes(capability)),
  )
  if (lacking.length === 0) {
    return [{ level: 'ok', what: `the ${who} identity may do all it needs` }]
  }
  return lacking.map((need) => ({
    level: need.level,
    what: `the ${who} identity may not ${need.capabilities.join(' and ')} ${need.written ?? need.path}: ${need.lest}`,
    fix: `add to its policy: ${stanza(need)}`,
  }))
}

async function capabilitiesOf(
  session: VaultSession,
  needs: readonly Need[],
  signal: AbortSignal,
): Promise<(path: string) => readonly unknown[]> {
  const { body } = await session.call({
    method: 'write',
    path: 'sys/capabilities-self',
    data: { paths: needs.map((need) => need.path) },
    signal,
  })
  const data = typeof body.data === 'object' && body.data !== null ? body.data : {}
  const answers = new Map(Object.entries(data))
  return (path) => {
    const answer: unknown = answers.get(path)
    return Array.isArray(answer) ? answer : []
  }
}

function stanza(need: Need): string {
  const capabilities = need.capabilities.map((capability) => `"${capability}"`).join(', ')
  return `path "${need.written ?? need.path}" { capabilities = [${capabilities}] }`
}
