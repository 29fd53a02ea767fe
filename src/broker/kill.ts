import { MayflyError } from '../errors.ts'
import { newId } from '../ids.ts'
import { isNarrow, type Selector } from '../model/selector.ts'
import type { Block, Kill } from '../store/store.ts'
import type { OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { mayRead, tenantsFor } from './operator.ts'

export interface KillRequest {
  readonly selector: Selector
  readonly reason: string
  /** Absent: a kill of a lease or task blocks nothing, a wider one until lifted. 0: no block. */
  readonly blockSeconds: number | undefined
}

/**
 * permission → commit order and block → (lifecycle) end what matches
 *
 * When this resolves the kill is durable and consulted by every issue and renewal, also by those
 * in flight (P8). It reaches no further than the tenants the operator may kill in.
 */
export async function kill(
  broker: Broker,
  by: OperatorCaller,
  request: KillRequest,
): Promise<Kill> {
  const tenants = tenantsFor(broker, by.operator, 'kill')
  const { selector, reason, blockSeconds } = request
  const now = broker.clock.now()
  const blocks = blockSeconds === undefined ? !isNarrow(selector) : blockSeconds > 0
  const expiresAt = blockSeconds === undefined ? null : now + blockSeconds * 1000
  return await broker.store.kills.order({
    id: newId('kill', broker),
    selector,
    tenants,
    reason,
    actor: by.actor,
    cause: 'killed',
    endsTasks: true,
    lane: 'kill',
    block: blocks ? { id: newId('block', broker), expiresAt } : undefined,
    now,
  })
}

/** Lifts a block of tenants the operator may act for; a foreign one is unknown to them (P11). */
export async function liftBlock(broker: Broker, by: OperatorCaller, block: Block): Promise<Block> {
  const tenants = tenantsFor(broker, by.operator, 'liftBlock')
  if (tenants !== null && !block.tenants?.every((tenant) => mayRead(tenants, tenant))) {
    throw new MayflyError('not_found', `no block "${block.id}"`)
  }
  const lifted = await broker.store.kills.lift({
    id: block.id,
    actor: by.actor,
    now: broker.clock.now(),
  })
  if (!lifted) throw new MayflyError('conflict', 'the block was lifted or has expired already')
  return lifted
}
