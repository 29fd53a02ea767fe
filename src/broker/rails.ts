import { MayflyError } from '../errors.ts'
import type { Broker } from './broker.ts'
import { PAUSE_MS } from './circuit.ts'
import { type Plan, type RailRefusal, unacceptable } from './plan.ts'
import { withheld } from './withheld.ts'

/** What stands against ending is looked at again about this often, or is for an operator to mend. */
const LATER_SECONDS = 60

/** Takes one of the agent's issues of this minute, or refuses before anything is written. */
export function takeIssuePace({ pace, world }: Broker, agent: string): void {
  const { issuesPerMinutePerAgent } = world().config.limits
  const wait = pace.take(`issue ${agent}`, issuesPerMinutePerAgent)
  if (wait === undefined) return
  throw new MayflyError('limit_reached', 'the agent asked for too many credentials this minute', {
    retryAfterSeconds: wait,
  })
}

/** Why this is not minted (P4, P17): it cannot be accepted, or could not be ended. */
export function unfitToMint({ health, store }: Broker, plan: Plan): RailRefusal | undefined {
  const refused = unacceptable(plan)
  if (refused) return refused
  const why = withheld({ health, store })
  const later = { code: 'not_revocable_now', retryAfterSeconds: LATER_SECONDS } as const
  if (why) return { ...later, ...why }
  const { provider, weakestRevocability } = plan.entitlement
  const paused = health.mintPaused(provider)
  if (paused) {
    const retryAfterSeconds = PAUSE_MS.mint / 1_000
    const rail = 'mint-circuit'
    return { code: 'upstream_unavailable', rail, message: paused, retryAfterSeconds }
  }
  if (weakestRevocability === 'expiry') return undefined
  const message = health.notRevocable(provider)
  return message ? { ...later, rail: 'revocable', message } : undefined
}
