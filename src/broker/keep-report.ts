import type { SignalSource } from '../config.ts'
import { MayflyError } from '../errors.ts'
import { newId, type SignalId } from '../ids.ts'
import { isNarrow, type Selector } from '../model/selector.ts'
import type { Report } from '../signals/report.ts'
import { allowedBySource } from '../signals/source.ts'
import type { KillOrder, Signal } from '../store/store.ts'
import type { Broker } from './broker.ts'

export interface KeptReport {
  readonly signal: Signal
  readonly repeated: boolean
}

/**
 * take pace → scope → commit the report with its effect → (lifecycle) end what matches
 *
 * Committed when it resolves. The same message again has no second effect. `limit_reached` past the
 * source's pace, `forbidden` outside its scope, `conflict` for a known id with another body.
 */
export async function keepReport(
  broker: Broker,
  source: SignalSource,
  report: Report,
): Promise<KeptReport> {
  takeSubject(broker, source)
  const effective = effectiveOf(source, report)
  if ('refused' in effective) {
    await refuseReport(broker, source, { messageId: report.messageId, why: effective.refused })
    throw new MayflyError('forbidden', effective.refused)
  }
  const now = broker.clock.now()
  const { action, level, reason, ttlSeconds, about, topic, at } = report
  const expiresAt = ttlSeconds === null ? null : now + ttlSeconds * 1000
  const id = newId('sig', broker)
  const kills =
    action === 'risk' || action === 'note'
      ? []
      : effective.selectors.map((selector) =>
          killOf(broker, { id, source, reason, action, selector, expiresAt, now }),
        )
  const received = await broker.store.signals.receive(
    {
      id,
      source: source.name,
      messageId: report.messageId,
      bodyHash: report.bodyHash,
      receivedAt: now,
      subject: report.subjects[0] ?? {},
      effective: effective.selectors,
      level,
      action,
      reason,
      expiresAt,
      ...(about === undefined ? {} : { about }),
      ...(topic === undefined ? {} : { topic }),
      ...(at === undefined ? {} : { at }),
      ...(report.raisesOnly === undefined ? {} : { raisesOnly: report.raisesOnly }),
    },
    kills,
  )
  if (received.ok) return received
  throw new MayflyError('conflict', 'this message id came before with another body')
}

/** What a report of this source takes effect on; nobody at all where it names nobody. */
export function effectiveOf(
  source: SignalSource,
  { subjects, action }: Pick<Report, 'subjects' | 'action'>,
) {
  const selectors: Selector[] = []
  for (const subject of subjects) {
    const allowed = allowedBySource(source, { subject, action })
    if ('refused' in allowed) return allowed
    selectors.push(...allowed.selectors)
  }
  return { selectors }
}

/** Writes down that an authentic message was refused. */
export async function refuseReport(
  { store }: Broker,
  source: SignalSource,
  facts: { messageId: string; why: string },
): Promise<void> {
  const data = { message_id: facts.messageId, why: facts.why }
  await store.audit.append([{ type: 'signal.refused', actor: `source:${source.name}`, data }])
}

/** One for each message: into how many parts a scope cuts its subject is not the sender's doing. */
export function takeSubject({ pace }: Broker, source: SignalSource): void {
  const wait = pace.take(`signal ${source.name}`, source.max_subjects_per_minute)
  if (wait === undefined) return
  throw new MayflyError('limit_reached', 'this source named too many subjects this minute', {
    retryAfterSeconds: wait,
  })
}

/** `kill` ends leases and tasks and blocks; `block` ends leases and keeps the tasks for later. */
function killOf(
  broker: Broker,
  facts: {
    id: SignalId
    source: SignalSource
    reason: string
    action: 'kill' | 'block'
    selector: Selector
    expiresAt: number | null
    now: number
  },
): KillOrder {
  const { id, source, reason, action, selector, expiresAt, now } = facts
  const kills = action === 'kill'
  const blocks = !kills || !isNarrow(selector)
  return {
    id: newId('kill', broker),
    selector,
    tenants: source.scope?.tenants ?? null,
    reason,
    actor: `source:${source.name}`,
    cause: 'signal',
    endsTasks: kills,
    lane: 'kill',
    block: blocks ? { id: newId('block', broker), expiresAt } : undefined,
    signal: id,
    now,
  }
}
