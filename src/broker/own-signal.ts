import { newId } from '../ids.ts'
import type { Selector } from '../model/selector.ts'
import { OWN_SOURCE } from '../signals/source.ts'
import type { Broker } from './broker.ts'

/** How long its risk stays, and how often at most it is written down for one name. */
const OWN_RISK_MS = 3_600_000

/**
 * Raises the risk of a subject to `MEDIUM` because of what Mayfly itself saw. At most one signal an
 * hour for each `kind` and `name`, so that nobody fills the disk by showing it again (P12).
 */
export async function signalOfOurs(
  broker: Broker,
  about: {
    readonly kind: string
    readonly name: string
    readonly subject: Selector
    readonly reason: string
  },
): Promise<void> {
  const { store, clock, pace, log } = broker
  const { kind, name, subject, reason } = about
  if (pace.take(`${kind} ${name}`, 1) !== undefined) return
  const now = clock.now()
  const messageId = `${kind} ${name} ${Math.floor(now / OWN_RISK_MS)}`
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
      reason,
      expiresAt: now + OWN_RISK_MS,
    },
    [],
  )
  if (received.ok && !received.repeated) log.warn({ subject }, received.signal.reason)
}
