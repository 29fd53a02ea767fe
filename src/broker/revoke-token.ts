import type { Actor } from '../audit/events.ts'
import type { ResourceServerConfig } from '../config.ts'
import { confirmationOf } from '../identity/possession.ts'
import type { KeyName } from '../model/key.ts'
import type { Task } from '../model/task.ts'
import type { Broker } from './broker.ts'
import { type ActiveToken, activeToken } from './introspect.ts'
import { isToldOf } from './resource-server.ts'

/** Who may take a token back: its own task, whoever holds its key, or the API it is meant for. */
export type Revoker =
  | { readonly kind: 'task'; readonly task: Task }
  | { readonly kind: 'keys'; readonly keys: readonly KeyName[] }
  | { readonly kind: 'resource-server'; readonly server: ResourceServerConfig }

/**
 * Ends the lease of an active token, durably when it resolves (RFC 7009 §2.1). For what is unknown,
 * over, or no business of this caller nothing happens, and the caller is not told (P11).
 */
export async function revokeToken(broker: Broker, by: Revoker, token: string): Promise<void> {
  const active = await activeToken(broker, token)
  if (active === undefined || !mayRevoke(by, active)) return
  const { id, agent } = active.lease
  const actor: Actor =
    by.kind === 'resource-server' ? `resource-server:${by.server.name}` : `agent:${agent}`
  const now = broker.clock.now()
  await broker.store.leases.end({ id, cause: 'ended', lane: 'end', actor, now })
}

function mayRevoke(by: Revoker, { claims, lease }: ActiveToken): boolean {
  switch (by.kind) {
    case 'task':
      return lease.task === by.task.id
    case 'keys': {
      const key = confirmationOf(claims.cnf)
      return typeof key === 'string' && by.keys.includes(key)
    }
    case 'resource-server':
      return isToldOf(by.server, { claims, lease })
  }
}
