/** How much trouble a workload, agent, task or tenant is believed to be in, mildest first. */
export const RISK_LEVELS = ['LOW', 'MEDIUM', 'HIGH'] as const
export type RiskLevel = (typeof RISK_LEVELS)[number]

/** What is known of a subject's risk at an instant: the highest level, and why. */
export interface Risk {
  readonly level: RiskLevel
  readonly reasons: readonly string[]
}

/** A signal as it was stored; its level and expiry are not trusted to be readable. */
export interface RiskSignal {
  readonly level: unknown
  readonly reason: string
  /** Epoch milliseconds; null stays until lifted. */
  readonly expiresAt: unknown
}

/** The highest of `levels`; of none it is `LOW`. */
export function highest(levels: Iterable<RiskLevel>): RiskLevel {
  let index = 0
  for (const level of levels) index = Math.max(index, RISK_LEVELS.indexOf(level))
  return RISK_LEVELS[index] ?? 'HIGH'
}

/**
 * The risk that the unexpired of `signals` add up to at `now`: the highest level, with the reasons
 * for exactly that level. No signals is `LOW`; a level or expiry that cannot be read is `HIGH` and
 * does not expire (P3).
 */
export function riskAt(signals: readonly RiskSignal[], now: number): Risk {
  const live = signals.filter((signal) => isLive(signal, now))
  const level = highest(live.map(readLevel))
  const reasons = level === 'LOW' ? [] : live.filter((signal) => readLevel(signal) === level)
  return { level, reasons: [...new Set(reasons.map((signal) => signal.reason))] }
}

export function isRiskLevel(value: unknown): value is RiskLevel {
  return RISK_LEVELS.some((level) => level === value)
}

function isLive({ level, expiresAt }: RiskSignal, now: number): boolean {
  if (!isRiskLevel(level) || expiresAt === null) return true
  return typeof expiresAt !== 'number' || !Number.isFinite(expiresAt) || expiresAt > now
}

/** A known level whose expiry is unreadable counts as HIGH too: nobody can say what it meant. */
function readLevel({ level, expiresAt }: RiskSignal): RiskLevel {
  const readable = expiresAt === null || Number.isFinite(expiresAt)
  return isRiskLevel(level) && readable ? level : 'HIGH'
}
