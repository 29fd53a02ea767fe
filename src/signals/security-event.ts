import { createHash } from 'node:crypto'
import { z } from 'zod'
import { plainText } from '../model/text.ts'
import {
  nameOf,
  type OutcomeChange,
  outcomeOf,
  STREAM_UPDATED,
  theEvent,
  VERIFICATION,
} from './event-types.ts'
import { asReason, type Report, within } from './report.ts'
import { canonical, type Directory, resolveSubject } from './resolve-subject.ts'
import type { SignalAction } from './signal.ts'
import { readIdentifier, type SubjectIdentifier } from './subject-identifier.ts'

/** How far a transmitter's clock may be ahead of ours. */
const AHEAD_SECONDS = 60

/** What a stream of events is held to, as configured. */
export interface StreamRules {
  readonly max_action: SignalAction
  /** Seconds since `iat`. */
  readonly max_age: number
  readonly events: Readonly<Record<string, OutcomeChange | undefined>>
  /** What a verification that says a state must say. */
  readonly verification_state?: string | undefined
}

/** Why an event is refused; `err` as in RFC 8935 §2.4 and SSF 1.0. */
export interface EventRefusal {
  readonly err: 'invalid_request' | 'invalid_state'
  readonly description: string
}

const claimsSchema = z.looseObject({
  jti: plainText(256),
  iat: z.int().min(0),
  toe: z.number().min(0).optional(),
  txn: z.string().max(1_024).optional(),
  // SSF 1.0: what a SET is about is in sub_id, and it does not run out.
  sub: z.never('must not be there; the subject is sub_id').optional(),
  exp: z.never('must not be there').optional(),
  events: z.record(z.string().min(1).max(1_024), z.looseObject({})),
})

/**
 * Reads the claims of a verified security event token (RFC 8417 as SSF 1.0 narrows it).
 * `payload` is what was signed, as it stands in the token.
 */
export function readSecurityEvent(
  { claims, payload }: { claims: Readonly<Record<string, unknown>>; payload: string },
  context: { readonly rules: StreamRules; readonly directory: Directory; readonly now: number },
): Report | EventRefusal {
  const { rules, directory, now } = context
  const parsed = claimsSchema.safeParse(claims)
  if (!parsed.success) return refused(problemIn(parsed.error))
  const { jti, iat, toe, events } = parsed.data
  const entry = theEvent(events)
  if (entry === undefined) return refused('events must hold one event')
  const [uri, event] = entry
  const identifier = readIdentifier(claims.sub_id)
  if (identifier === undefined) return refused('sub_id is no subject identifier')
  if (iat > now / 1_000 + AHEAD_SECONDS) return refused('iat is in the future')
  if (iat < now / 1_000 - rules.max_age) return refused('iat is longer ago than is accepted')
  const outcome = outcomeOf(uri, event, rules.events)
  if (outcome === undefined) return refused(`a claim of ${nameOf(uri)} is missing or wrong`)
  const wrongState = stateProblem(uri, event, rules)
  if (wrongState !== undefined) return wrongState

  const said = { event: uri, subject: shallow(claims.sub_id, 4) }
  const kept = {
    messageId: jti,
    bodyHash: createHash('sha256').update(payload).digest('hex'),
    reason: reasonOf(uri, event),
    at: happenedAt({ event, toe, iat }),
  }
  const nothing = { subjects: [], level: null, action: 'note', ttlSeconds: null } as const
  if (outcome.kind === 'note') return { ...kept, ...nothing, about: said }
  const resolved = resolveSubject(identifier, directory)
  if ('why' in resolved) return { ...kept, ...nothing, about: { ...said, why: resolved.why } }
  const about = {
    subjects: resolved.selectors,
    about: said,
    ...follows(outcome, identifier, resolved),
  }
  if (outcome.kind === 'over') {
    return { ...kept, ...about, level: 'LOW', action: 'risk', ttlSeconds: null }
  }
  const { level, ttlSeconds } = outcome
  return { ...kept, ...about, level, ttlSeconds, action: within(outcome.action, rules.max_action) }
}

/** What it may replace: an earlier word of its topic about just the same, or nothing that is worse. */
function follows(
  { topic }: { readonly topic: string | undefined },
  identifier: SubjectIdentifier,
  { selectors }: { readonly selectors: readonly unknown[] },
): Pick<Report, 'topic' | 'raisesOnly'> {
  if (topic === undefined) return { raisesOnly: true }
  return { topic: selectors.length === 1 ? topic : `${topic} ${canonical(identifier)}` }
}

function stateProblem(
  uri: string,
  event: Readonly<Record<string, unknown>>,
  { verification_state }: StreamRules,
): EventRefusal | undefined {
  if (uri !== VERIFICATION || event.state === undefined || verification_state === undefined) {
    return undefined
  }
  if (event.state === verification_state) return undefined
  return { err: 'invalid_state', description: 'state is not the one that was asked for' }
}

/** Never later than `iat`: a time of event in the future would make every later word an old one. */
function happenedAt(times: {
  event: Readonly<Record<string, unknown>>
  toe: number | undefined
  iat: number
}): number {
  const { event, toe, iat } = times
  const said = typeof event.event_timestamp === 'number' ? event.event_timestamp : toe
  return Math.floor(Math.min(said ?? iat, iat) * 1_000)
}

/** What the transmitter tells administrators, in the first of its languages, English before others. */
function reasonOf(uri: string, event: Readonly<Record<string, unknown>>): string {
  const name = asReason(nameOf(uri), 'security event')
  if (uri === STREAM_UPDATED) {
    return asReason(`the stream is ${String(event.status)}: ${String(event.reason ?? '')}`, name)
  }
  const { reason_admin, risk_reason, reason } = event
  const words =
    typeof reason_admin === 'object' && reason_admin !== null
      ? 'en' in reason_admin
        ? reason_admin.en
        : Object.values(reason_admin)[0]
      : (risk_reason ?? reason)
  return typeof words === 'string' ? asReason(`${name}: ${words}`, name) : name
}

/** A format of others may be nested as deep as a token is long; nobody reads that far. */
function shallow(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (levels === 0) return '…'
  if (Array.isArray(value)) return value.map((one) => shallow(one, levels - 1))
  const entries = Object.entries(value).map(([key, one]) => [key, shallow(one, levels - 1)])
  return Object.fromEntries(entries)
}

function problemIn({ issues }: z.ZodError): string {
  return issues
    .map(({ path, message }) => `${path.join('.')} ${message}`)
    .join('; ')
    .slice(0, 500)
}

function refused(description: string): EventRefusal {
  return { err: 'invalid_request', description }
}
