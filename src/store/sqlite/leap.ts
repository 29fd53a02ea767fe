import { isLeap } from '../../clock.ts'
import { MayflyError } from '../../errors.ts'

/** How far a confirmed time may be from the clock it confirms; a flag left in place says nothing later. */
const CONFIRMED_WITHIN_MS = 3_600_000

/**
 * Asks before a wall clock far ahead becomes the high-water mark, which would leave the broker in
 * that future for ever (P5): `config_invalid` unless an operator confirmed the time it is now. A
 * database that knows no time yet, or a stop of days, is no question.
 */
export function refuseLeap(times: {
  readonly wall: number
  readonly highWater: number
  /** The time an operator says it is, if one did. */
  readonly confirmed: number | undefined
}): void {
  const { wall, highWater, confirmed } = times
  if (highWater === 0 || !isLeap({ wall, known: highWater })) return
  if (confirmed !== undefined && Math.abs(wall - confirmed) <= CONFIRMED_WITHIN_MS) return
  const clock = rfc3339(wall)
  const asked =
    confirmed === undefined ? '' : ` (--accept-time says ${rfc3339(confirmed)}, which is neither)`
  throw new MayflyError(
    'config_invalid',
    `store.url: the clock of this host says ${clock}, but the last this database knew is ${rfc3339(highWater)}${asked}; ` +
      `if the clock is right, start once with --accept-time ${clock}; if not, set it right first, ` +
      'because a time once recorded is never taken back',
  )
}

function rfc3339(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`
}
