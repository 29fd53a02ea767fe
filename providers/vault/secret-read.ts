/**
 * Asks an engine for a secret with the lease's own token, for no longer than the lease: where the
 * engine does not take a life in the call, its Vault lease is shortened right after.
 */
import { type CredentialFields, type MintOrder, UpstreamError } from '../../src/provider.ts'
import { Secret } from '../../src/secret.ts'
import type { VaultReply } from './client.ts'
import { type Engine, engineOf } from './engine.ts'
import { lifeOf } from './lifetime.ts'
import type { DynamicTarget } from './settings.ts'
import { statedEnd } from './stated-end.ts'
import type { LeaseToken } from './token-create.ts'
import type { Upstream } from './upstream.ts'

export interface DynamicSecret {
  readonly data: CredentialFields
  /** Absent where the engine keeps no lease. */
  readonly leaseId: string | undefined
  readonly livesUntil: number
  readonly diesBy: number
  readonly at: number | undefined
}

interface Read {
  readonly order: MintOrder
  readonly target: DynamicTarget
  readonly token: LeaseToken
}

export async function readSecret(upstream: Upstream, read: Read): Promise<DynamicSecret> {
  const { clock, strays } = upstream
  const { order, target, token } = read
  const engine = engineOf(target)
  const ttlSeconds = Math.max(1, Math.floor((token.livesUntil - clock.now()) / 1_000))
  const sentAt = clock.now()
  const asked = Math.max(ttlSeconds, engine.floorSeconds)
  const { body, at } = await ask(upstream, read, asked).catch((error: unknown) => {
    throw afterTheToken(error)
  })
  const data = secretFields(body.data)
  const leaseId = typeof body.lease_id === 'string' && body.lease_id ? body.lease_id : undefined
  if (leaseId !== undefined) {
    const known = { accessors: [token.accessor], leases: [leaseId], complete: true }
    strays.set(order.upstreamName, known)
  }
  if (!data || (engine.leased && leaseId === undefined)) {
    const missing = data ? 'no lease: see its role' : 'no data'
    throw new UpstreamError('unknown', `vault's answer to ${target.path} has ${missing}`)
  }
  if (!engine.leased && leaseId !== undefined) {
    throw new UpstreamError(
      'unknown',
      `vault made a lease at ${target.path}, which target.leased denies`,
    )
  }
  const seconds = await secondsOf(upstream, { order, engine, leaseId, body, asked, ttlSeconds })
  const life = lifeOf({ sentAt, answeredAt: clock.now(), seconds })
  const stated = statedEnd(body.data) ?? 0
  return { data, leaseId, at, ...life, diesBy: Math.max(life.diesBy, stated) + engine.graceMs }
}

function ask({ client }: Upstream, read: Read, asked: number): Promise<VaultReply> {
  const { order, target, token } = read
  const { path } = target
  const call = { path, token: token.value, signal: order.signal }
  const engine = engineOf(target)
  if (engine.reads === 'read') return client.call({ ...call, method: 'read' })
  const parameters = 'parameters' in target ? target.parameters : {}
  const data = { ...parameters, ...(engine.asksLife ? { ttl: `${asked}s` } : {}) }
  return client.call({ ...call, method: 'write', data })
}

/** How long Vault says it lives, made no longer than asked; a value without a lease only ages. */
async function secondsOf(
  upstream: Upstream,
  given: {
    order: MintOrder
    engine: Engine
    leaseId: string | undefined
    body: VaultReply['body']
    asked: number
    ttlSeconds: number
  },
): Promise<number> {
  const { order, engine, leaseId, body, asked, ttlSeconds } = given
  if (leaseId === undefined) return asked
  const seconds = Number(body.lease_duration)
  if (seconds > 0 && seconds <= asked) return seconds
  if (!engine.asksLife) return await shorten(upstream, { order, leaseId, ttlSeconds })
  throw tooLong(asked)
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
  throw tooLong(ttlSeconds)
}

function tooLong(asked: number): UpstreamError {
  return new UpstreamError(
    'unknown',
    `vault gives this secret a longer life than the ${asked} s asked and does not shorten it: lower default_ttl of its role, or default_lease_ttl of its mount`,
  )
}

/** A token exists by now, so even a clear refusal is something to clean up after. */
function afterTheToken(error: unknown): unknown {
  if (!(error instanceof UpstreamError) || error.outcome === 'unknown') return error
  return new UpstreamError('unknown', error.message, error.upstreamCode)
}

/** Every field is a secret: which of them matter is the engine's business. Lists are PEM chains. */
function secretFields(data: unknown): CredentialFields | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  // A version 2 key/value mount wraps what was written.
  const wrapped = 'metadata' in data && 'data' in data && typeof data.data === 'object'
  const fields = Object.entries((wrapped ? data.data : data) ?? {}).flatMap(
    ([name, value]): [string, Secret][] => {
      const text = Array.isArray(value) && value.every(isText) ? value.join('\n') : value
      return isText(text) && text !== '' ? [[name, new Secret(text)]] : []
    },
  )
  if (fields.length === 0) return undefined
  return Object.fromEntries(fields)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
