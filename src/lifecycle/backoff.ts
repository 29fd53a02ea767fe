import type { Random } from '../ids.ts'
import type { Lane } from '../model/lease.ts'

const FIRST_MS = 500
/**
 * A kill is tried again within seconds however long its upstream has been away, and everything else
 * soon enough to be ended within a minute of its return: behind the deadline of a call that was still
 * waiting then, the jitter, and the others that wait.
 */
const LONGEST_MS: Record<Lane, number> = {
  kill: 5_000,
  end: 20_000,
  expiry: 20_000,
  cleanup: 300_000,
}

/** How long to wait before the next attempt: doubling, capped by lane, ± 50 % jitter. */
export function backoffMs(lane: Lane, attempts: number, random: Random): number {
  const whole = Math.min(FIRST_MS * 2 ** Math.min(attempts, 20), LONGEST_MS[lane])
  const [byte = 0] = random(1)
  return Math.round(whole * (0.5 + byte / 255))
}
