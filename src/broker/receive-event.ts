import { createHash, timingSafeEqual } from 'node:crypto'
import type { SignalSource } from '../config.ts'
import { MayflyError } from '../errors.ts'
import { STREAM_UPDATED } from '../signals/event-types.ts'
import { type EventRefusal, readSecurityEvent } from '../signals/security-event.ts'
import type { Signal } from '../store/store.ts'
import type { Broker } from './broker.ts'
import { directoryOf } from './directory.ts'
import { keepReport, refuseReport, takeSubject } from './keep-report.ts'

/** Why a delivery is refused: error codes registered for RFC 8935 §2.4, and SSF's `invalid_state`. */
export interface DeliveryRefusal {
  readonly err:
    | EventRefusal['err']
    | 'invalid_key'
    | 'invalid_issuer'
    | 'invalid_audience'
    | 'authentication_failed'
    | 'access_denied'
  readonly description: string
}

type EventSource = Extract<SignalSource, { type: 'ssf' }>

/**
 * verify → authenticate the transmitter → read → keep with its effect
 *
 * Resolved without a refusal means committed: the transmitter may forget the event. The same `jti`
 * again has no second effect, and is accepted again, because transmitters resend what they are not
 * sure of. Only an authentic event leaves a trace. Throws `unavailable` while the issuer's keys
 * cannot be had and `limit_reached` past the source's pace: both are for sending again.
 */
export async function receiveEvent(
  broker: Broker,
  sourceName: string,
  delivery: { readonly token: string; readonly authorization: string | undefined },
): Promise<DeliveryRefusal | undefined> {
  const world = broker.world()
  const verified = await world.identity.verifyEvent(sourceName, delivery.token)
  if ('err' in verified) return verified
  const source = world.config.signals.sources.find(({ name }) => name === sourceName)
  if (source?.type !== 'ssf') return { err: 'invalid_issuer', description: 'unknown stream' }
  if (!isTransmitter(broker, source, delivery.authorization)) {
    return { err: 'authentication_failed', description: 'the Authorization header is not right' }
  }
  const now = broker.clock.now()
  const directory = directoryOf(world, source)
  const report = readSecurityEvent(verified, { rules: source, directory, now })
  if ('err' in report) {
    takeSubject(broker, source)
    const { jti } = verified.claims
    const messageId = typeof jti === 'string' ? jti.slice(0, 256) : '(none)'
    await refuseReport(broker, source, { messageId, why: report.description })
    return report
  }
  try {
    const { signal, repeated } = await keepReport(broker, source, report)
    if (!repeated) note(broker, signal)
    return undefined
  } catch (error) {
    if (!(error instanceof MayflyError)) throw error
    if (error.code === 'forbidden') return { err: 'access_denied', description: error.message }
    if (error.code === 'conflict') return { err: 'invalid_request', description: error.message }
    throw error
  }
}

/** What an operator should hear of without looking: nobody was meant, or nothing more will come. */
function note({ log }: Broker, { id, source, about, reason }: Signal): void {
  if (about?.why !== undefined) {
    log.warn({ source, signal: id, why: about.why }, 'an event had no effect')
  }
  if (about?.event === STREAM_UPDATED) log.warn({ source, signal: id }, reason)
}

function isTransmitter(
  broker: Broker,
  { authorization }: EventSource,
  shown: string | undefined,
): boolean {
  if (authorization === undefined) return true
  const wanted = broker.world().config.secret(authorization).reveal()
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(wanted), digest(shown ?? ''))
}
