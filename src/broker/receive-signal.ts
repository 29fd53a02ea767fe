import { MayflyError } from '../errors.ts'
import { verifyWebhook } from '../signals/webhook.ts'
import type { Broker } from './broker.ts'
import { type KeptReport, keepReport } from './keep-report.ts'

/**
 * find source → verify → keep with its effect
 *
 * Accepted means committed. `unauthenticated` for an unknown source and a wrong signature alike,
 * the rest as `keepReport` says.
 */
export async function receiveSignal(
  broker: Broker,
  sourceName: string,
  delivery: { readonly headers: Headers; readonly rawBody: Uint8Array },
): Promise<KeptReport> {
  const { config } = broker.world()
  const source = config.signals.sources.find(({ name }) => name === sourceName)
  if (source?.type !== 'webhook') {
    throw new MayflyError('unauthenticated', 'the signal was not accepted')
  }
  const references = [source.secret, source.previous_secret].filter((ref) => ref !== undefined)
  const secrets = references.map((reference) => config.secret(reference))
  const verified = verifyWebhook({ ...delivery, secrets, now: broker.clock.now() })
  const { messageId, bodyHash, signal } = verified
  const { subject, ...said } = signal
  return await keepReport(broker, source, { messageId, bodyHash, ...said, subjects: [subject] })
}
