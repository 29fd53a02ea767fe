import { newId } from '../ids.ts'
import type { Selector } from '../model/selector.ts'
import { OWN_SOURCE } from '../signals/source.ts'
import type { Broker } from './broker.ts'

/** How long its risk stays, and how often at most it is written down for one task or instance. */
const OTHER_KEY_RISK_MS = 3_600_000

/**
 * Raises the risk of a task or workload to `MEDIUM`, because its token or evidence came with another
 * key than its own: somebody copied it. At most one signal an hour for each `name`, so that a thief
 * with many keys fills no disk (P12).
 */
export async function reportOtherKey(
  broker: Broker,
  { name, subject }: { readonly name: string; readonly subject: Selector },
): Promise<void> {
  const { store, clock, pace, log } = broker
  if (pace.take(`other-key ${name}`, 1) !== undefined) return
  const now = clock.now()
  const messageId = `other-key ${name} ${Math.floor(now / OTHER_KEY_RISK_MS)}`
  const received = await store.signals.receive(
    {
      id: newId('sig', broker),
      source: OWN_SOURCE,
      messageId,
      bodyHash: messageId,
      receivedAt: now,
      subject,
      effective: [subject],
      level: 'MEDIUM',
      action: 'risk',
      reason: 'another key was shown than the one it is bound to',
      expiresAt: now + OTHER_KEY_RISK_MS,
    },
    [],
  )
  if (received.ok && !received.repeated) log.warn({ subject }, received.signal.reason)
}
