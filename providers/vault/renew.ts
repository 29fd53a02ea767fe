/**
 * Prolongs a lease's token, then its secrets, each by no more than its order allows. What an engine
 * gives a fixed life is asked for again instead.
 */
import { type Minted, type MintOrder, UpstreamError } from '../../src/provider.ts'
import { engineOf } from './engine.ts'
import { parseHandle } from './handle.ts'
import { lifeOf, secondsLeft } from './lifetime.ts'
import { mint } from './mint.ts'
import { targetSchema } from './settings.ts'
import { type Upstream, vaultOf } from './upstream.ts'

/** A token or a database user stays the same and lives longer: nothing secret is sent again. */
export async function renew(upstream: Upstream, order: MintOrder): Promise<Minted> {
  const handle = parseHandle(order.handle)
  if (handle.vault !== undefined && handle.vault !== vaultOf(upstream.settings)) {
    throw new UpstreamError('refused', 'this lease was made at another vault: ask for a new one')
  }
  const target = targetSchema.parse(order.target)
  const engine = target.kind === 'dynamic' ? engineOf(target) : undefined
  if (target.kind === 'dynamic' && target.engine !== 'database') return await mint(upstream, order)
  if (handle.accessors.length === 0) {
    throw new UpstreamError('refused', 'this lease has no token that could be renewed')
  }
  const lives: { livesUntil: number; diesBy: number }[] = []
  let upstreamTime: number | undefined
  for (const accessor of handle.accessors) {
    const { at, ...life } = await prolong(upstream, order, {
      path: 'auth/token/renew-accessor',
      data: { accessor },
    })
    lives.push(life)
    upstreamTime = at
  }
  for (const lease of handle.leases) {
    const { livesUntil, diesBy } = await prolong(upstream, order, {
      path: 'sys/leases/renew',
      data: { lease_id: lease },
    })
    lives.push({ livesUntil, diesBy: diesBy + (engine?.graceMs ?? 0) })
  }
  const { settings } = upstream
  return {
    credential: {
      type: 'vault',
      address: settings.address,
      ...(settings.namespace === undefined ? {} : { namespace: settings.namespace }),
    },
    expiresAt: Math.min(order.notAfter, ...lives.map((life) => life.livesUntil)),
    nativeExpiresAt: Math.max(...lives.map((life) => life.diesBy)),
    handle,
    ...(upstreamTime === undefined ? {} : { upstreamTime }),
  }
}

async function prolong(
  { minter, clock }: Upstream,
  order: MintOrder,
  what: { path: string; data: Readonly<Record<string, string>> },
) {
  const increment = secondsLeft(clock, order)
  const sentAt = clock.now()
  const { body, at } = await minter.call({
    method: 'write',
    path: what.path,
    data: { ...what.data, increment },
    signal: order.signal,
  })
  const seconds = secondsGiven(body)
  if (seconds === undefined) {
    throw new UpstreamError('unknown', `vault's answer to ${what.path} says no lease_duration`)
  }
  if (seconds < 1) {
    throw new UpstreamError(
      'refused',
      'this lease has reached the longest life vault gives it (max_lifetime or max_ttl of its role): ask for a new one',
    )
  }
  if (seconds > increment) {
    throw new UpstreamError('unknown', 'vault prolonged a lease by more than was asked')
  }
  return { at, ...lifeOf({ sentAt, answeredAt: clock.now(), seconds }) }
}

/** A token's answer says it inside `auth`, a secret's at the top. */
function secondsGiven(body: Readonly<Record<string, unknown>>): number | undefined {
  const { auth } = body
  const inAuth = typeof auth === 'object' && auth !== null && 'lease_duration' in auth
  const seconds = inAuth ? auth.lease_duration : body.lease_duration
  return typeof seconds === 'number' ? seconds : undefined
}
