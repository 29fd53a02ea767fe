/** How long, in Vault's whole seconds, an order may still live. */
import type { Clock } from '../../src/clock.ts'
import { type MintOrder, UpstreamError } from '../../src/provider.ts'

/**
 * Rounded down: Vault counts seconds from when the call arrives, which is later than now. Measured
 * on the clock that `notAfter` was computed from, so that a clock step does not change the length.
 */
export function secondsLeft(clock: Clock, order: MintOrder): number {
  const left = Math.floor((order.notAfter - clock.earliest()) / 1_000)
  const seconds = Math.min(order.ttlSeconds, left)
  if (seconds >= 1) return seconds
  throw new UpstreamError('refused', 'less than one second is left, which vault cannot express')
}

/** When a life of `seconds` that Vault counted from somewhere inside a call surely is over, and surely not yet. */
export function lifeOf(span: { sentAt: number; answeredAt: number; seconds: number }): {
  readonly livesUntil: number
  readonly diesBy: number
} {
  const ms = span.seconds * 1_000
  return { livesUntil: span.sentAt + ms, diesBy: span.answeredAt + ms }
}
