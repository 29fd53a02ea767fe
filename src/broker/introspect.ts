import type { JWTPayload } from 'jose'
import type { ResourceServerConfig } from '../config.ts'
import { leaseOfName } from '../ids.ts'
import type { Lease } from '../model/lease.ts'
import type { Broker } from './broker.ts'
import { ACCESS_TOKEN_TYPE } from './own-tokens.ts'
import { isToldOf } from './resource-server.ts'

/** A token of ours that still counts, and its lease. */
export interface ActiveToken {
  readonly claims: JWTPayload
  readonly lease: Lease
}

/**
 * verify signature and time → find lease → is it this server's business (RFC 7662 §2.2)
 *
 * Undefined alike for what is unknown, forged, expired, ended, named by a kill, or foreign (P11).
 * Nothing is written: whoever asks often costs no disk.
 */
export async function introspect(
  broker: Broker,
  server: ResourceServerConfig,
  token: string,
): Promise<ActiveToken | undefined> {
  const active = await activeToken(broker, token)
  return active !== undefined && isToldOf(server, active) ? active : undefined
}

/** A lease that is reserved, ending or past its expiry has no active token, whatever was signed. */
export async function activeToken(
  { signer, store, clock, world }: Broker,
  token: string,
): Promise<ActiveToken | undefined> {
  const claims = await signer.verify(token, ACCESS_TOKEN_TYPE)
  if (claims?.iss !== world().config.server.publicUrl) return undefined
  const id = leaseOfName(claims.jti ?? '')
  const lease = id && (await store.leases.honoured(id))
  if (lease === undefined || lease.expiresAt <= clock.latest()) return undefined
  return { claims, lease }
}
