import { MayflyError } from '../errors.ts'
import type { Report } from '../signals/report.ts'
import { parseSignal } from '../signals/signal.ts'
import { verifyDelivery } from '../signals/webhook.ts'
import type { Broker } from './broker.ts'
import { type KeptReport, keepReport } from './keep-report.ts'
import { reportOf } from './receive-alert.ts'

/**
 * find source → verify → read → keep with its effect
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
  const { body, ...verified } = verifyDelivery({ ...delivery, secrets, now: broker.clock.now() })
  const report = source.map
    ? reportOf(broker.world(), source, { text: body, map: source.map })
    : ownReport(body)
  return await keepReport(broker, source, { ...report, ...verified })
}

/** Mayfly's own format as a report. */
export function ownReport(body: string): Omit<Report, 'messageId' | 'bodyHash'> {
  const { subject, ...said } = parseSignal(body)
  return { ...said, subjects: [subject] }
}
