import { MayflyError } from '../errors.ts'
import type { Broker } from './broker.ts'
import { type Plan, type RailRefusal, unacceptable } from './plan.ts'

/** Takes one of the agent's issues of this minute, or refuses before anything is written. */
export function takeIssuePace({ pace, world }: Broker, agent: string): void {
  const { issuesPerMinutePerAgent } = world().config.limits
  const wait = pace.take(`issue ${agent}`, issuesPerMinutePerAgent)
  if (wait === undefined) return
  throw new MayflyError('limit_reached', 'the agent asked for too many credentials this minute', {
    retryAfterSeconds: wait,
  })
}

/** P4 and P17: what cannot be accepted, or could not be ended, is not minted. */
export function assertMayMint({ health }: Broker, plan: Plan): RailRefusal | undefined {
  const refused = unacceptable(plan)
  if (refused) return refused
  const { provider, weakestRevocability } = plan.entitlement
  const paused = health.mintPaused(provider)
  if (paused) return { code: 'upstream_unavailable', rail: 'mint-circuit', message: paused }
  if (weakestRevocability === 'expiry') return undefined
  const message = health.notRevocable(provider)
  return message ? { code: 'not_revocable_now', rail: 'revocable', message } : undefined
}
