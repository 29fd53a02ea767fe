import type { Selector } from '../model/selector.ts'
import type { Broker } from './broker.ts'
import { signalOfOurs } from './own-signal.ts'

/**
 * Raises the risk of a task or workload, because its token or evidence came with another key than
 * its own: somebody copied it.
 */
export async function reportOtherKey(
  broker: Broker,
  { name, subject }: { readonly name: string; readonly subject: Selector },
): Promise<void> {
  const reason = 'another key was shown than the one it is bound to'
  await signalOfOurs(broker, { kind: 'other-key', name, subject, reason })
}
