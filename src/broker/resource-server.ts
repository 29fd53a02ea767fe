import { timingSafeEqual } from 'node:crypto'
import type { JWTPayload } from 'jose'
import type { ResourceServerConfig } from '../config.ts'
import { MayflyError } from '../errors.ts'
import type { Lease } from '../model/lease.ts'
import type { Broker } from './broker.ts'
import { hashToken } from './open-task.ts'

/** Throws `unauthenticated` unless a configured resource server has this name and secret. */
export function resourceServer(
  { world }: Broker,
  shown: { readonly name: string; readonly secret: string },
): ResourceServerConfig {
  const hash = Buffer.from(hashToken(shown.secret))
  const server = world().config.resourceServers.find(({ name }) => name === shown.name)
  if (server === undefined || !timingSafeEqual(Buffer.from(server.tokenSha256), hash)) {
    throw new MayflyError('unauthenticated', 'the credentials were not accepted', {
      detail: { reason: 'no such resource server, or not its secret' },
    })
  }
  return server
}

/** Whether a token is any business of this server's: one of its tenants', for one of its audiences. */
export function isToldOf(
  server: ResourceServerConfig,
  { claims, lease }: { readonly claims: JWTPayload; readonly lease: Lease },
): boolean {
  const ofTenant = server.tenants.includes('*') || server.tenants.includes(lease.tenant)
  return ofTenant && [claims.aud].flat().some((one) => one && server.audiences.includes(one))
}
