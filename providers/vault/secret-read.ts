/** Reads a dynamic secret with the lease's own token, and makes its Vault lease no longer than asked. */
import { type CredentialFields, type MintOrder, UpstreamError } from '../../src/provider.ts'
import { Secret } from '../../src/secret.ts'
import { DATABASE_GRACE_MS, lifeOf } from './lifetime.ts'
import type { LeaseToken } from './token-create.ts'
import type { Upstream } from './upstream.ts'

export interface DynamicSecret {
  readonly data: CredentialFields
  readonly leaseId: string
  readonly livesUntil: number
  readonly diesBy: number
  readonly at: number | undefined
}

export async function readSecret(
  upstream: Upstream,
  read: { order: MintOrder; path: string; token: LeaseToken },
): Promise<DynamicSecret> {
  const { client, clock, strays } = upstream
  const { order, path, token } = read
  const ttlSeconds = Math.max(1, Math.floor((token.livesUntil - clock.now()) / 1_000))
  const sentAt = clock.now()
  const { body, at } = await client
    .call({ method: 'read', path, token: token.value, signal: order.signal })
    .catch((error: unknown) => {
      throw afterTheToken(error)
    })
  const leaseId = body.lease_id
  const data = secretFields(body.data)
  if (typeof leaseId !== 'string' || leaseId === '' || !data) {
    throw new UpstreamError('unknown', `vault's answer to read ${path} has no lease or no data`)
  }
  strays.set(order.upstreamName, {
    accessors: [token.accessor],
    leases: [leaseId],
    complete: true,
  })
  const given = Number(body.lease_duration)
  const seconds =
    given > 0 && given <= ttlSeconds
      ? given
      : await shorten(upstream, { order, leaseId, ttlSeconds })
  const life = lifeOf({ sentAt, answeredAt: clock.now(), seconds })
  return { data, leaseId, at, ...life, diesBy: life.diesBy + DATABASE_GRACE_MS }
}

/** The Vault role gives its own ttl; a renewal by less than what is left shortens it. */
async function shorten(
  upstream: Upstream,
  lease: { order: MintOrder; leaseId: string; ttlSeconds: number },
): Promise<number> {
  const { order, leaseId, ttlSeconds } = lease
  const { body } = await upstream.minter
    .call({
      method: 'write',
      path: 'sys/leases/renew',
      data: { lease_id: leaseId, increment: ttlSeconds },
      signal: order.signal,
    })
    .catch((error: unknown) => {
      throw afterTheToken(error)
    })
  const seconds = Number(body.lease_duration)
  if (seconds > 0 && seconds <= ttlSeconds) return seconds
  throw new UpstreamError(
    'unknown',
    `vault gives this secret a longer life than the ${ttlSeconds} s asked and does not shorten it: lower default_ttl of its role`,
  )
}

/** A token exists by now, so even a clear refusal is something to clean up after. */
function afterTheToken(error: unknown): unknown {
  if (!(error instanceof UpstreamError) || error.outcome === 'unknown') return error
  return new UpstreamError('unknown', error.message, error.upstreamCode)
}

/** Every field is a secret: which of them matter is the engine's business. */
function secretFields(data: unknown): CredentialFields | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  const fields = Object.entries(data).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  if (fields.length === 0) return undefined
  return Object.fromEntries(fields.map(([name, value]) => [name, new Secret(value)]))
}
