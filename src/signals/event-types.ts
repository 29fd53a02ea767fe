import { z } from 'zod'
import type { RiskLevel } from '../model/risk.ts'
import type { SignalAction } from './signal.ts'

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/'
const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/'

/** What an event means for whoever it is about. */
export type EventOutcome =
  | {
      readonly kind: 'trouble'
      /**
       * Where events tell of a state, the latest of a topic and subject counts. Absent: it happened,
       * and nothing that happens later takes that back.
       */
      readonly topic: string | undefined
      readonly level: RiskLevel
      readonly action: SignalAction
      readonly ttlSeconds: number | null
    }
  | { readonly kind: 'over'; readonly topic: string }
  /** Kept, without effect. */
  | { readonly kind: 'note' }

/** What an operator can have instead of what trouble means by default. */
export interface OutcomeChange {
  readonly level?: RiskLevel | undefined
  readonly action?: SignalAction | 'note' | undefined
  readonly ttl?: number | undefined
}

const HOUR = 3_600
const NOTE: EventOutcome = { kind: 'note' }
const text = z.string().min(1)

/** What every CAEP event may say beside its own. */
const common = {
  event_timestamp: z.number().min(0).optional(),
  initiating_entity: z.enum(['admin', 'user', 'policy', 'system']).optional(),
  reason_admin: z.record(z.string(), z.string()).optional(),
  reason_user: z.record(z.string(), z.string()).optional(),
}

interface EventType {
  readonly uri: string
  /** Claims that must be there, and of which kind; others are let be. */
  readonly claims: z.ZodType
  outcome(claims: Readonly<Record<string, unknown>>): EventOutcome
}

/** Ends what runs and keeps it away for an hour: by then its old evidence has run out. */
const ended = (): EventOutcome => trouble(undefined, 'HIGH', HOUR)

function trouble(
  topic: string | undefined,
  level: RiskLevel,
  ttlSeconds: number | null,
): EventOutcome {
  const action = level === 'HIGH' ? 'kill' : 'risk'
  return { kind: 'trouble', topic, level, action, ttlSeconds }
}

function type(
  uri: string,
  claims: z.ZodRawShape,
  outcome: (claims: Readonly<Record<string, unknown>>) => EventOutcome,
): EventType {
  return { uri, claims: z.looseObject({ ...common, ...claims }), outcome }
}

const note = (uri: string) => type(uri, {}, () => NOTE)

const risk = z.enum(['LOW', 'MEDIUM', 'HIGH'])
const status = z.enum(['compliant', 'not-compliant'])

const TYPES: readonly EventType[] = [
  type(`${CAEP}session-revoked`, {}, ended),
  type(`${CAEP}risk-level-change`, { principal: text, current_level: risk }, (claims) => {
    const topic = `risk ${String(claims.principal)}`
    const level = risk.parse(claims.current_level)
    return level === 'LOW' ? { kind: 'over', topic } : trouble(topic, level, null)
  }),
  type(
    `${CAEP}credential-change`,
    { credential_type: text, change_type: z.enum(['create', 'revoke', 'update', 'delete']) },
    ({ change_type }) =>
      change_type === 'revoke' || change_type === 'delete'
        ? ended()
        : trouble(undefined, 'MEDIUM', HOUR),
  ),
  type(`${CAEP}token-claims-change`, { claims: z.looseObject({}) }, () =>
    trouble(undefined, 'MEDIUM', HOUR),
  ),
  type(
    `${CAEP}device-compliance-change`,
    { previous_status: status, current_status: status },
    ({ current_status }) =>
      current_status === 'compliant'
        ? { kind: 'over', topic: 'device' }
        : trouble('device', 'HIGH', null),
  ),
  type(
    `${CAEP}assurance-level-change`,
    {
      namespace: text,
      current_level: text,
      previous_level: text.optional(),
      change_direction: z.enum(['increase', 'decrease']).optional(),
    },
    ({ namespace, change_direction }) => {
      const topic = `assurance ${String(namespace)}`
      // Without a direction nobody here can say which of two levels is the higher.
      return change_direction === 'increase'
        ? { kind: 'over', topic }
        : trouble(topic, 'MEDIUM', null)
    },
  ),
  note(`${CAEP}session-established`),
  note(`${CAEP}session-presented`),
  type(`${RISC}account-disabled`, {}, () => trouble('account', 'HIGH', null)),
  type(`${RISC}account-purged`, {}, () => trouble('account', 'HIGH', null)),
  type(`${RISC}account-enabled`, {}, () => ({ kind: 'over', topic: 'account' })),
  type(`${RISC}credential-compromise`, { credential_type: text }, () =>
    trouble(undefined, 'HIGH', null),
  ),
  type(`${RISC}account-credential-change-required`, {}, () => trouble(undefined, 'MEDIUM', HOUR)),
  type(`${RISC}sessions-revoked`, {}, ended),
  // The name now belongs to somebody else, who must not go on with what the other one began.
  type(`${RISC}identifier-recycled`, {}, ended),
  note(`${RISC}identifier-changed`),
  note(`${RISC}opt-in`),
  note(`${RISC}opt-out-initiated`),
  note(`${RISC}opt-out-cancelled`),
  note(`${RISC}opt-out-effective`),
  note(`${RISC}recovery-activated`),
  note(`${RISC}recovery-information-changed`),
  type(`${SSF}verification`, { state: z.string().optional() }, () => NOTE),
  type(
    `${SSF}stream-updated`,
    { status: z.enum(['enabled', 'paused', 'disabled']), reason: z.string().optional() },
    () => NOTE,
  ),
]

const BY_URI = new Map(TYPES.map((one) => [one.uri, one]))

export const VERIFICATION = `${SSF}verification`
export const STREAM_UPDATED = `${SSF}stream-updated`

/** The last part of those that can mean trouble: how the configuration calls them. */
export const TROUBLE_NAMES = TYPES.filter(({ uri }) => uri.startsWith(CAEP) || uri.startsWith(RISC))
  .map(({ uri }) => nameOf(uri))
  .toSorted()

export function nameOf(uri: string): string {
  return uri.slice(uri.lastIndexOf('/') + 1)
}

/**
 * The one event of a token. Several URIs may stand there only as other names of the same event (SSF
 * 1.0), so that one of them at most is known here; undefined where there is none, or more are known.
 */
export function theEvent<T>(events: Readonly<Record<string, T>>): readonly [string, T] | undefined {
  const all = Object.entries(events)
  const known = all.filter(([uri]) => BY_URI.has(uri))
  return known.length > 1 ? undefined : (known[0] ?? all[0])
}

/**
 * What an event means: by the texts of CAEP 1.0 and RISC 1.0, the least of which is kept without
 * effect; one of another type, too. Undefined where a claim its text requires is missing or wrong.
 */
export function outcomeOf(
  uri: string,
  claims: Readonly<Record<string, unknown>>,
  changes: Readonly<Record<string, OutcomeChange | undefined>>,
): EventOutcome | undefined {
  const known = BY_URI.get(uri)
  if (known === undefined) return NOTE
  if (!known.claims.safeParse(claims).success) return undefined
  const outcome = known.outcome(claims)
  const change = changes[nameOf(uri)]
  if (outcome.kind !== 'trouble' || change === undefined) return outcome
  if (change.action === 'note') return NOTE
  const level = change.level ?? outcome.level
  const action = change.action ?? (change.level === undefined ? outcome.action : byLevel(level))
  return { ...outcome, level, action, ttlSeconds: change.ttl ?? outcome.ttlSeconds }
}

function byLevel(level: RiskLevel): SignalAction {
  return level === 'HIGH' ? 'kill' : 'risk'
}
