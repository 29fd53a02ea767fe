import { MayflyError } from '../errors.ts'
import { newId, type SignalId } from '../ids.ts'
import { isNarrow, type Selector } from '../model/selector.ts'
import type { Signal as ParsedSignal } from '../signals/signal.ts'
import { allowedBySource, type SignalSource } from '../signals/source.ts'
import { verifyWebhook } from '../signals/webhook.ts'
import type { KillOrder, Signal } from '../store/store.ts'
import type { Broker } from './broker.ts'

/**
 * find source → verify → scope → commit signal with its effect → (lifecycle) end what matches
 *
 * Accepted means committed. The same message again has no second effect; a signal that matches
 * nothing is kept. `unauthenticated` for an unknown source and a wrong signature alike,
 * `conflict` for a known message id with another body, `forbidden` outside the source's scope.
 */
export async function receiveSignal(
  broker: Broker,
  sourceName: string,
  delivery: { readonly headers: Headers; readonly rawBody: Uint8Array },
): Promise<{ readonly signal: Signal; readonly repeated: boolean }> {
  const { config } = broker.world()
  const source = config.signals.sources.find(({ name }) => name === sourceName)
  if (!source) throw new MayflyError('unauthenticated', 'the signal was not accepted')
  const now = broker.clock.now()
  const references = [source.secret, source.previous_secret].filter((ref) => ref !== undefined)
  const secrets = references.map((reference) => config.secret(reference))
  const verified = verifyWebhook({ ...delivery, secrets, now })

  takeSubject(broker, source)
  const allowed = allowedBySource(source, verified.signal)
  if ('refused' in allowed) {
    await refuse(broker, source, { messageId: verified.messageId, why: allowed.refused })
    throw new MayflyError('forbidden', allowed.refused)
  }

  const { signal } = verified
  const expiresAt = signal.ttlSeconds === null ? null : now + signal.ttlSeconds * 1000
  const id = newId('sig', broker)
  const kills =
    signal.action === 'risk'
      ? []
      : allowed.selectors.map((one) =>
          killOf(broker, { id, source, signal, selector: one, expiresAt, now }),
        )
  const received = await broker.store.signals.receive(
    {
      id,
      source: source.name,
      messageId: verified.messageId,
      bodyHash: verified.bodyHash,
      receivedAt: now,
      subject: signal.subject,
      effective: allowed.selectors,
      level: signal.level,
      action: signal.action,
      reason: signal.reason,
      expiresAt,
    },
    kills,
  )
  if (!received.ok) {
    throw new MayflyError('conflict', 'this message id came before with another body')
  }
  return received
}

/** `kill` ends leases and tasks and blocks; `block` ends leases and keeps the tasks for later. */
function killOf(
  broker: Broker,
  facts: {
    id: SignalId
    source: SignalSource
    signal: ParsedSignal
    selector: Selector
    expiresAt: number | null
    now: number
  },
): KillOrder {
  const { id, source, signal, selector, expiresAt, now } = facts
  const kills = signal.action === 'kill'
  const blocks = !kills || !isNarrow(selector)
  return {
    id: newId('kill', broker),
    selector,
    tenants: source.scope?.tenants ?? null,
    reason: signal.reason,
    actor: `source:${source.name}`,
    cause: 'signal',
    endsTasks: kills,
    lane: 'kill',
    block: blocks ? { id: newId('block', broker), expiresAt } : undefined,
    signal: id,
    now,
  }
}

/** One for each signal: into how many parts a scope cuts its subject is not the sender's doing. */
function takeSubject({ pace }: Broker, source: SignalSource): void {
  const wait = pace.take(`signal ${source.name}`, source.max_subjects_per_minute)
  if (wait === undefined) return
  throw new MayflyError('limit_reached', 'this source named too many subjects this minute', {
    retryAfterSeconds: wait,
  })
}

async function refuse(
  { store }: Broker,
  source: SignalSource,
  facts: { messageId: string; why: string },
): Promise<void> {
  const data = { message_id: facts.messageId, why: facts.why }
  await store.audit.append([{ type: 'signal.refused', actor: `source:${source.name}`, data }])
}
