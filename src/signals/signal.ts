import { z } from 'zod'
import { MayflyError, type Problem } from '../errors.ts'
import { withoutUndefined } from '../model/optional.ts'
import { requestProblems } from '../model/request-problems.ts'
import { RISK_LEVELS, type RiskLevel } from '../model/risk.ts'
import { type Selector, selectorSchema } from '../model/selector.ts'
import { plainText } from '../model/text.ts'
import { hasUniqueKeys } from '../model/unique-keys.ts'

/** What a signal makes happen, mildest first; `kill` is kill and block. */
export const SIGNAL_ACTIONS = ['risk', 'block', 'kill'] as const
export type SignalAction = (typeof SIGNAL_ACTIONS)[number]

const MAX_SIGNAL_TTL_SECONDS = 30 * 86_400

/** An event that says a subject is in trouble, in one shape whatever format it came in. */
export interface Signal {
  readonly subject: Selector
  /** Null: it says nothing about risk, only what to do. */
  readonly level: RiskLevel | null
  readonly action: SignalAction
  readonly reason: string
  /** How long its risk and its block stay; null until lifted. */
  readonly ttlSeconds: number | null
}

interface SignalBody {
  readonly subject: Selector
  readonly reason: string
  readonly level?: RiskLevel
  readonly action?: SignalAction
  readonly ttl_seconds?: number
}

/** The body of `POST /v1/signals/{source}`; unknown fields are refused. */
export const signalBodySchema = withoutUndefined<SignalBody>(
  z
    .strictObject({
      subject: selectorSchema,
      level: z.enum(RISK_LEVELS).optional(),
      reason: plainText(),
      action: z.enum(SIGNAL_ACTIONS).optional(),
      ttl_seconds: z.int().min(1).max(MAX_SIGNAL_TTL_SECONDS).optional(),
    })
    .refine((body) => body.level !== undefined || body.action !== undefined, {
      error: 'must have a level or an action',
      path: ['level'],
    })
    .refine((body) => body.action !== 'risk' || body.level !== undefined, {
      error: 'must be given with action "risk"',
      path: ['level'],
    })
    .refine((body) => !onlySetsRisk(body) || PARTS.every((part) => !(part in body.subject)), {
      error: 'has no risk of its own; name a task, agent, workload, issuer or tenant, or block it',
      path: ['subject'],
    }),
)

/** What is done with a credential: decisions ask for the risk of whoever wants one. */
const PARTS = ['lease', 'entitlement', 'provider', 'target', 'policy_hash'] as const

function onlySetsRisk(body: {
  readonly action?: SignalAction | undefined
  readonly level?: RiskLevel | undefined
}): boolean {
  const { action, level } = body
  return action === 'risk' || (action === undefined && level !== undefined && level !== 'HIGH')
}

/**
 * Parses a signal's JSON. Without an `action`, `HIGH` is kill and block and lower levels only set
 * risk. Throws `invalid_request` with every problem.
 */
export function parseSignal(text: string): Signal {
  const parsed = signalBodySchema.safeParse(readJson(text))
  if (!parsed.success) throw invalid(requestProblems(parsed.error))
  const { subject, level, reason, action, ttl_seconds } = parsed.data
  return {
    subject,
    level: level ?? null,
    action: action ?? (level === 'HIGH' ? 'kill' : 'risk'),
    reason,
    ttlSeconds: ttl_seconds ?? null,
  }
}

function readJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw invalid([{ path: '', message: 'must be JSON' }])
  }
  // Senders fill templates with text of others; a smuggled second `subject` must not win.
  if (!hasUniqueKeys(text, value))
    throw invalid([{ path: '', message: 'must not say a key twice' }])
  return value
}

function invalid(problems: readonly Problem[]): MayflyError {
  return new MayflyError('invalid_request', 'the signal was not understood', { problems })
}
