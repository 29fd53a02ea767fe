/** What the parts of one provider instance share. */
import type { Clock } from '../../src/clock.ts'
import type { VaultClient } from './client.ts'
import type { Handle } from './handle.ts'
import type { VaultSession } from './session.ts'
import type { Settings } from './settings.ts'

export interface Upstream {
  readonly settings: Settings
  readonly installation: string
  readonly clock: Clock
  readonly client: VaultClient
  /** The identity that mints and renews. */
  readonly minter: VaultSession
  /** The identity that ends and proves; the same object where `revoke_auth` is absent. */
  readonly ender: VaultSession
  /** What failed mints are known to have left, by upstream name, until it is ended. */
  readonly strays: Map<string, Handle>
  /** Accessors by upstream name, as the last inventory found them. */
  readonly listed: Map<string, readonly string[]>
}

export const META_LEASE = 'mayfly-lease'

export function policyPath(upstreamName: string): string {
  return `sys/policies/acl/${upstreamName}`
}

/** Which Vault and namespace these settings reach. */
export function vaultOf({ address, namespace = '' }: Settings): string {
  return `${address.replace(/\/$/, '')}/${namespace.replace(/\/$/, '')}`
}
