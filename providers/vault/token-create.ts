/** Makes the service token of one lease, and trusts nothing Vault did not say about it. */
import { type MintOrder, UpstreamError } from '../../src/provider.ts'
import { Secret } from '../../src/secret.ts'
import { lifeOf, secondsLeft } from './lifetime.ts'
import { META_LEASE, type Upstream } from './upstream.ts'

export interface LeaseToken {
  readonly value: Secret
  readonly accessor: string
  readonly livesUntil: number
  readonly diesBy: number
  readonly at: number | undefined
}

/** `auth/token/create/<role>`: an orphan under exactly one policy, with a hard end. */
export async function createToken(upstream: Upstream, order: MintOrder): Promise<LeaseToken> {
  const { settings, clock, minter, installation } = upstream
  const ttlSeconds = secondsLeft(clock, order)
  const sentAt = clock.now()
  const { body, at } = await minter.call({
    method: 'write',
    path: `auth/token/create/${settings.token_role}`,
    data: {
      // Never empty: without a policy Vault would give all of the caller's own.
      policies: [order.upstreamName],
      no_default_policy: true,
      type: 'service',
      ttl: `${ttlSeconds}s`,
      explicit_max_ttl: `${Math.max(ttlSeconds, settings.max_lifetime)}s`,
      renewable: true,
      display_name: order.upstreamName,
      meta: {
        [META_LEASE]: order.upstreamName,
        'mayfly-task': order.task,
        'mayfly-agent': order.agent,
        'mayfly-tenant': order.tenant,
        'mayfly-installation': installation,
      },
    },
    signal: order.signal,
  })
  const auth = body.auth
  const fields = typeof auth === 'object' && auth !== null ? new Map(Object.entries(auth)) : null
  const accessor = textIn(fields, 'accessor')
  const value = textIn(fields, 'client_token')
  if (accessor) remember(upstream, order, accessor)
  const problem = fields ? problemWith(fields, order.upstreamName, ttlSeconds) : 'no token in it'
  if (problem || !value || !accessor) {
    throw new UpstreamError(
      'unknown',
      `the token role "${settings.token_role}" made an unusable token (${problem ?? 'no value'}): run mayfly doctor`,
    )
  }
  const seconds = Number(fields?.get('lease_duration'))
  const life = lifeOf({ sentAt, answeredAt: clock.now(), seconds })
  return { value: new Secret(value), accessor, ...life, at }
}

/** Until the mint is done, what exists already must be findable by name. */
function remember({ strays }: Upstream, order: MintOrder, accessor: string): void {
  strays.set(order.upstreamName, { accessors: [accessor], leases: [], complete: false })
}

/** Batch tokens cannot be revoked; more policies, another life or a parent is not what was asked. */
function problemWith(
  auth: ReadonlyMap<string, unknown>,
  policy: string,
  ttlSeconds: number,
): string | undefined {
  if (auth.get('token_type') !== 'service') return 'it is not a service token'
  if (!isJust(auth.get('policies'), policy)) return 'it has other policies'
  if (auth.get('orphan') !== true) return 'it is not an orphan'
  const extra = auth.get('identity_policies')
  if (Array.isArray(extra) && extra.length > 0) return 'it has identity policies'
  const lasts = Number(auth.get('lease_duration'))
  if (!(lasts > 0 && lasts <= ttlSeconds)) return 'it lives longer than asked, or for ever'
  return undefined
}

function isJust(value: unknown, only: string): boolean {
  return Array.isArray(value) && value.length === 1 && value[0] === only
}

function textIn(fields: ReadonlyMap<string, unknown> | null, name: string): string | undefined {
  const value = fields?.get(name)
  return typeof value === 'string' && value !== '' ? value : undefined
}
