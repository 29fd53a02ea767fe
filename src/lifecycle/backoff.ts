import type { Random } from '../ids.ts'
import type { Lane } from '../model/lease.ts'

const FIRST_MS = 500
/** A kill is tried again within seconds however long its upstream has been away. */
const LONGEST_MS: Record<Lane, number> = {
  kill: 5_000,
  end: 30_000,
  expiry: 30_000,
  cleanup: 300_000,
}

/** How long to wait before the next attempt: doubling, capped by lane, ± 50 % jitter. */
export function backoffMs(lane: Lane, attempts: number, random: Random): number {
  const whole = Math.min(FIRST_MS * 2 ** Math.min(attempts, 20), LONGEST_MS[lane])
  const [byte = 0] = random(1)
  return Math.round(whole * (0.5 + byte / 255))
}
