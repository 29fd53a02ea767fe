import { MayflyError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Kill } from '../store/store.ts'
import type { OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { assertMay } from './operator.ts'

/**
 * permission → commit the word of an operator and a kill of all that was in the restored database
 *
 * From then on something can begin again. What was open in the restored database may have been
 * ended or killed since it was copied, and nobody knows: none of it comes back to life (P6, P8).
 * `conflict` if nothing waits to be confirmed.
 */
export async function confirmRestore(
  broker: Broker,
  { operator, actor }: OperatorCaller,
  reason: string,
): Promise<Kill> {
  assertMay(broker, operator, 'administer')
  const kill = await broker.store.confirmRestoration({
    id: newId('kill', broker),
    selector: { all: true },
    tenants: null,
    reason,
    actor,
    cause: 'killed',
    endsTasks: true,
    // What an operator kills meanwhile overtakes it.
    lane: 'end',
    block: undefined,
    now: broker.clock.now(),
  })
  if (kill === undefined) {
    throw new MayflyError('conflict', 'no restored database waits to be confirmed')
  }
  return kill
}
