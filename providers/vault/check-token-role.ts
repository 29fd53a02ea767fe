/** Whether the token role can only make what a lease's token must be. */
import type { Finding } from '../../src/provider.ts'
import { VaultRefusedError } from './client.ts'
import type { Upstream } from './upstream.ts'

export async function checkTokenRole(
  { minter, settings }: Upstream,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const path = `auth/token/roles/${settings.token_role}`
  try {
    const { body } = await minter.call({ method: 'read', path, signal })
    const data = typeof body.data === 'object' && body.data !== null ? body.data : {}
    const findings = roleFindings(settings, new Map(Object.entries(data)))
    return findings.length > 0
      ? findings
      : [{ level: 'ok', what: `the token role "${settings.token_role}" makes only lease tokens` }]
  } catch (error) {
    if (!(error instanceof VaultRefusedError) || error.outcome !== 'refused') throw error
    return error.status === 404
      ? [missing(settings.token_role)]
      : [
          {
            level: 'warning',
            what: `the token role "${settings.token_role}" cannot be read, so it is not checked`,
            fix: `add to the mint policy: path "${path}" { capabilities = ["read"] }`,
          },
        ]
  }
}

function missing(role: string): Finding {
  return {
    level: 'blocking',
    what: `there is no token role "${role}"`,
    fix: `vault write auth/token/roles/${role} allowed_policies_glob='mf-*' orphan=true token_type=service token_no_default_policy=true`,
  }
}

function roleFindings(
  settings: Upstream['settings'],
  role: ReadonlyMap<string, unknown>,
): readonly Finding[] {
  const globs = texts(role.get('allowed_policies_glob'))
  const named = texts(role.get('allowed_policies'))
  const rules: readonly (Finding & { readonly holds: boolean })[] = [
    {
      holds: role.get('token_type') === 'service',
      level: 'blocking',
      what: 'the token role does not pin token_type=service: batch tokens cannot be revoked',
      fix: 'set token_type=service',
    },
    {
      holds: role.get('orphan') === true,
      level: 'blocking',
      what: 'the token role does not make orphans: leases would die with every login of mayfly',
      fix: 'set orphan=true',
    },
    {
      holds: globs.includes('mf-*'),
      level: 'blocking',
      what: 'the token role does not allow the policies of leases',
      fix: "set allowed_policies_glob='mf-*'",
    },
    {
      holds: globs.every((glob) => glob === 'mf-*') && named.length === 0,
      level: 'warning',
      what: 'the token role allows other policies than those of leases',
      fix: "set allowed_policies_glob='mf-*' and nothing in allowed_policies",
    },
    {
      holds: role.get('token_no_default_policy') === true,
      level: 'warning',
      what: 'the token role adds the default policy where nobody asks it not to',
      fix: 'set token_no_default_policy=true',
    },
    {
      holds: Number(role.get('token_period') ?? 0) === 0,
      level: 'blocking',
      what: 'the token role makes periodic tokens, which have no end of their own',
      fix: 'set token_period=0',
    },
    {
      holds: coversLifetime(role, settings.max_lifetime),
      level: 'warning',
      what: 'token_explicit_max_ttl of the token role is shorter than max_lifetime: renewals end there',
      fix: 'lower max_lifetime to it',
    },
  ]
  return rules.filter((rule) => !rule.holds).map(({ holds: _, ...finding }) => finding)
}

function coversLifetime(role: ReadonlyMap<string, unknown>, seconds: number): boolean {
  const cap = Number(role.get('token_explicit_max_ttl') ?? 0)
  return cap === 0 || cap >= seconds
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []
}
